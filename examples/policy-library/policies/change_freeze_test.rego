package main_test

import data.main

changing(tier) := {
	"resource_changes": [{"address": "x", "type": "any", "change": {"actions": ["update"], "after": {}}}],
	"xcf": {"tier": tier},
}

freezes := [{"from": "2026-12-19T00:00:00Z", "to": "2027-01-04T00:00:00Z", "tiers": ["production"], "reason": "end of year"}]

frozen_at(tier, moment) := found if {
	found := main.deny_change_freeze with input as changing(tier)
		with data.settings.freezes as freezes
		with time.now_ns as time.parse_rfc3339_ns(moment)
}

test_during_the_freeze if count(frozen_at("production", "2026-12-24T12:00:00Z")) == 1

test_before_the_freeze if count(frozen_at("production", "2026-12-18T23:59:59Z")) == 0

test_after_the_freeze if count(frozen_at("production", "2027-01-04T00:00:00Z")) == 0

test_freeze_of_another_tier if count(frozen_at("staging", "2026-12-24T12:00:00Z")) == 0

test_freeze_without_changes if {
	found := main.deny_change_freeze with input as {"resource_changes": [], "xcf": {"tier": "production"}}
		with data.settings.freezes as freezes
		with time.now_ns as time.parse_rfc3339_ns("2026-12-24T12:00:00Z")
	count(found) == 0
}
