package main

deny_run contains "runs as root" if input.root

deny_net contains "open network" if input.open

deny contains "plain" if input.plain

exception contains rules if {
	input.name == "trusted"
	rules := ["run", "net"]
}
