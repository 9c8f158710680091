package main_test

import data.main

destroying(lifecycle, tier, actions) := {
	"resource_changes": [{"address": "db", "type": "aws_db_instance", "change": {"actions": actions, "after": null}}],
	"xcf": {"unit": "prod/shop/db", "lifecycle": lifecycle, "tier": tier},
}

test_destroy_platform_in_production if {
	count(main.deny_protected_destroy) == 1 with input as destroying("Platform", "production", ["delete"])
}

test_replace_is_destroying if {
	count(main.deny_protected_destroy) == 1 with input as destroying("Foundation", "production", ["delete", "create"])
}

test_destroy_application if {
	count(main.deny_protected_destroy) == 0 with input as destroying("Application", "production", ["delete"])
}

test_destroy_in_development if {
	count(main.deny_protected_destroy) == 0 with input as destroying("Platform", "development", ["delete"])
}

test_update_is_not_destroying if {
	count(main.deny_protected_destroy) == 0 with input as destroying("Platform", "production", ["update"])
}

test_destroy_allowed_by_settings if {
	"protected_destroy" in main.exception[_] with input as destroying("Platform", "production", ["delete"])
		with data.settings.destroy_allowed as ["prod/shop/db"]
}

test_destroy_needs_two_people if {
	some demand in main.tighten with input as destroying("Application", "production", ["delete"])
	demand.quorum == 2
}
