# Machines and databases are of an allowed size.
package main

import data.lib.changes

deny_instance_size contains {"msg": msg, "resource": change.address, "size": size} if {
	some change in changes.kept
	rule := data.settings.instance_sizes[change.type]
	size := change.change.after[rule.attribute]
	is_string(size)
	not size_allowed(size, rule.allowed)
	msg := sprintf("%s has the size %s; allowed are %s", [change.address, size, concat(", ", rule.allowed)])
}

size_allowed(size, allowed) if {
	some prefix in allowed
	startswith(size, prefix)
}
