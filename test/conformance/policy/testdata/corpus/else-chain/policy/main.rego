package main

deny := ["first"] if {
	input.kind == "Other"
} else := ["second"] if {
	input.kind == "Service"
} else := ["third"]
