# Resources are made in allowed regions only; a zone belongs to the region it begins with.
package main

import data.lib.changes

deny_region contains {"msg": msg, "resource": change.address, "region": place} if {
	some change in changes.kept
	some attribute in ["region", "location", "availability_zone", "zone"]
	place := change.change.after[attribute]
	is_string(place)
	not region_allowed(place)
	msg := sprintf("%s is in %s, which is not allowed", [change.address, place])
}

region_allowed(place) if {
	some region in data.settings.allowed_regions
	startswith(lower(place), region)
}

region_allowed("global")

region_allowed("")
