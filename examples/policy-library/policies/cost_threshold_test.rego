package main_test

import data.main

costing(delta) := {"resource_changes": [], "xcf": {"cost": {"monthlyDelta": delta, "currency": "USD"}}}

test_cheap if count(main.tighten) == 0 with input as costing("12.40")

test_cheaper_than_before if count(main.tighten) == 0 with input as costing("-900")

test_dear_is_looked_at if {
	count(main.tighten) == 1 with input as costing("200.01")
	count(main.deny_cost) == 0 with input as costing("200.01")
}

test_too_dear if count(main.deny_cost) == 1 with input as costing("5000.5")

test_cost_unknown if count(main.deny_cost) == 0 with input as {"xcf": {"cost": null}}
