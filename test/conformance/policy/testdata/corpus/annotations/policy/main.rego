# METADATA
# title: Services
# custom:
#   severity: high
package main

# METADATA
# title: No services
# schemas:
#   - input: {"type": "object", "properties": {"kind": {"type": "string"}}}
deny contains {"msg": msg, "title": rego.metadata.rule().title} if {
	input.kind == "Service"
	msg := "a service"
}
