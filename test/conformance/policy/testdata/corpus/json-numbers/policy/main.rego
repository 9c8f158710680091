package main

deny contains sprintf("%v", [input.big]) if input.big == 9007199254740992

deny contains sprintf("%v", [input.money]) if input.money == 1.1

warn contains json.marshal(input) if true
