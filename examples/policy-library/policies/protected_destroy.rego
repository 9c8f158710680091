# Nothing of Foundation or Platform is destroyed in production, by replacement neither, unless settings name the unit.
package main

import data.lib.changes

deny_protected_destroy contains {"msg": msg, "resource": change.address} if {
	input.xcf.tier == "production"
	input.xcf.lifecycle in {"Foundation", "Platform"}
	some change in changes.destroyed
	msg := sprintf("%s of %s would be destroyed in production", [change.address, input.xcf.lifecycle])
}

exception contains rules if {
	input.xcf.unit in data.settings.destroy_allowed
	rules := ["protected_destroy"]
}

# Where it is allowed, two people look at it.
tighten contains {"gate": "forced", "quorum": 2, "msg": "destroys in production"} if {
	input.xcf.tier == "production"
	count(changes.destroyed) > 0
}
