package services_test

import data.main
import rego.v1

plan(tier, replicas) := {
	"xcf": {"tier": tier},
	"resource_changes": [{
		"address": "terraform_data.service",
		"change": {"actions": ["create"], "after": {"input": {"kind": "service", "name": "api", "replicas": replicas}}},
	}],
}

test_a_single_replica_in_production_warns if {
	main.warn_single_replica == {"api has a single replica: a restart is an outage"} with input as plan("production", 1)
}

test_two_replicas_are_fine if {
	count(main.warn_single_replica) == 0 with input as plan("production", 2)
}

test_development_may_run_one_replica if {
	count(main.warn_single_replica) == 0 with input as plan("development", 1)
}
