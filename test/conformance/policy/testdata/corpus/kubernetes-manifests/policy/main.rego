package main

name := input.metadata.name

deny contains sprintf("%s runs as root", [name]) if {
	input.kind == "Deployment"
	not input.spec.template.spec.securityContext.runAsNonRoot
}

warn contains sprintf("%s is a load balancer", [name]) if {
	input.kind == "Service"
	input.spec.type == "LoadBalancer"
}
