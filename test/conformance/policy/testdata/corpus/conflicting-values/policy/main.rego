package main

size := 1 if input.kind == "Service"

size := 2 if input.spec

deny contains "x" if size == 1
