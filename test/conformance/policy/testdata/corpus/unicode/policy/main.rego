package main

deny contains sprintf("%s — nö", [input["größe"]]) if input["größe"]
