package main

deny := "is not reported" if input.kind == "Service"
