package main

deny contains "x" if {
	print("looking at", input.kind)
	input.kind == "Service"
}
