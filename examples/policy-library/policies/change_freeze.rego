# Nothing changes during a freeze.
package main

deny_change_freeze contains {"msg": msg, "until": freeze.to} if {
	some freeze in data.settings.freezes
	input.xcf.tier in freeze.tiers
	now := time.now_ns()
	now >= time.parse_rfc3339_ns(freeze.from)
	now < time.parse_rfc3339_ns(freeze.to)
	changes_anything
	msg := sprintf("changes are frozen until %s: %s", [freeze.to, freeze.reason])
}

changes_anything if {
	some change in input.resource_changes
	some action in change.change.actions
	not action in {"no-op", "read"}
}
