package main

deny contains msg if {
	some forbidden in data.limits.kinds
	input.kind == forbidden
	msg := sprintf("%s is forbidden, at most %v", [forbidden, data.limits.max])
}

warn contains sprintf("%v", [data.regions]) if data.regions
