package main

import rego.v1

# A database of production is not reachable from outside. Denied: nobody can approve this away.
deny_public_database contains msg if {
	input.xcf.tier == "production"
	some change in input.resource_changes
	change.change.after.input.kind == "database"
	change.change.after.input.public
	msg := sprintf("%s makes a production database public", [change.address])
}
