package main

deny contains msg if {
	some port in input.ports
	port < 1024
	msg := sprintf("port %d is privileged", [port])
}
