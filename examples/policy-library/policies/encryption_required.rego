# Data at rest is encrypted.
package main

import data.lib.changes

deny_encryption contains {"msg": msg, "resource": change.address} if {
	some change in changes.kept
	attribute := data.settings.encryption[change.type]
	not changes.unknown(change, attribute)
	not change.change.after[attribute] == true
	msg := sprintf("%s is not encrypted: set %s", [change.address, attribute])
}

sensitive_paths contains {"resource": change.address, "path": attribute} if {
	some change in changes.kept
	attribute := data.settings.encryption[change.type]
	changes.unknown(change, attribute)
}
