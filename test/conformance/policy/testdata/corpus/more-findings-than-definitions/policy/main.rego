package main

deny contains msg if {
	some x in input.list
	msg := x
}

deny contains "never" if input.never
