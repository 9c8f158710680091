package main

deny := {"msg": "is not reported"} if input.kind == "Service"
