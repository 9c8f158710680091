package main

import rego.v1

# One replica is allowed, and people should see it before they approve.
warn_single_replica contains msg if {
	input.xcf.tier == "production"
	some change in input.resource_changes
	change.change.after.input.kind == "service"
	change.change.after.input.replicas < 2
	msg := sprintf("%s has a single replica: a restart is an outage", [change.change.after.input.name])
}
