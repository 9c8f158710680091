package main

import rego.v1

deny contains "v1" if input.kind == "Service"
