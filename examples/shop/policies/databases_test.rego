package databases_test

import data.main
import rego.v1

plan(tier, public) := {
	"xcf": {"tier": tier},
	"resource_changes": [{
		"address": "terraform_data.database",
		"change": {"actions": ["update"], "after": {"input": {"kind": "database", "public": public}}},
	}],
}

test_a_public_database_of_production_is_denied if {
	main.deny_public_database == {"terraform_data.database makes a production database public"} with input as plan("production", true)
}

test_a_private_database_is_allowed if {
	count(main.deny_public_database) == 0 with input as plan("production", false)
}

test_a_public_database_of_development_is_allowed if {
	count(main.deny_public_database) == 0 with input as plan("development", true)
}
