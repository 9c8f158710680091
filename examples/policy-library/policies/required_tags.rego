# Every resource that can carry tags carries the required ones.
package main

import data.lib.changes

deny_required_tags contains {"msg": msg, "resource": change.address, "tag": key} if {
	some change in changes.kept
	tags := tags_of(change.change.after)
	some key in data.settings.required_tags.keys
	object.get(tags, key, "") == ""
	not tags_exempt(change)
	msg := sprintf("%s lacks the tag %s", [change.address, key])
}

# The tags a resource would have: all of them where the provider says so, none where the attribute is empty.
tags_of(after) := after.tags_all if {
	is_object(after.tags_all)
} else := after.tags if {
	is_object(after.tags)
} else := after.labels if {
	is_object(after.labels)
} else := {} if {
	some attribute in ["tags_all", "tags", "labels"]
	after[attribute] == null
}

tags_exempt(change) if change.type in data.settings.required_tags.exempt_types

# Tags that are not known yet are judged once they are.
tags_exempt(change) if {
	some attribute in ["tags_all", "tags", "labels"]
	changes.unknown(change, attribute)
}
