package main

deny contains "does not match" if not json.match_schema(input, {"type": "array"})[0]
