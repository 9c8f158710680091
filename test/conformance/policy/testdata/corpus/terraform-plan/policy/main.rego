package main

changed(action) := {change.address | some change in input.resource_changes; action in change.change.actions}

deny contains sprintf("%s would be destroyed", [address]) if some address in changed("delete")

warn contains sprintf("%s has no tags", [change.address]) if {
	some change in input.resource_changes
	not change.change.after.tags
}
