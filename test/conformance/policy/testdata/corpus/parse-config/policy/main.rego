package main

deny contains "parsed" if parse_config("json", `{"a": 1}`).a == 1
