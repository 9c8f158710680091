package main

default deny := []

deny := ["a"] if input.kind == "Other"

default warn := ["standing warning"]
