package main

violation contains {"msg": msg, "severity": "high", "details": {"name": input.metadata.name}} if {
	not input.metadata.labels.team
	msg := "no team"
}
