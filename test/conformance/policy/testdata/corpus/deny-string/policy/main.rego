package main

deny contains msg if {
	input.kind == "Service"
	msg := sprintf("%s is a service", [input.metadata.name])
}
