package main

deny contains msg if {
	input.bad
	msg := sprintf("%v is bad", [input.name])
}

warn contains "seen" if input
