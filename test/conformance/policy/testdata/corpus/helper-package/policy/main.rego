package main

import data.lib.names

deny contains msg if {
	not names.valid(input.metadata.name)
	msg := "bad name"
}
