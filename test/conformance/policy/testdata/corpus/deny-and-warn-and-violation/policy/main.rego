package main

deny contains "denied" if input.kind == "Service"

violation contains {"msg": "violated"} if input.kind == "Service"

warn contains "warned" if input.kind == "Service"
