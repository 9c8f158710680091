package main

deny contains msg if {
	some a, b in input
	a.path < b.path
	a.contents.metadata.name == b.contents.metadata.name
	msg := sprintf("%s in %s and %s", [a.contents.metadata.name, a.path, b.path])
}

warn contains sprintf("%d documents", [count(input)]) if true
