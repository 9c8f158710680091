package main_test

import data.main

placed(after) := {"resource_changes": [{"address": "x", "type": "any", "change": {"actions": ["create"], "after": after}}]}

test_region_allowed if count(main.deny_region) == 0 with input as placed({"region": "eu-west-1"})

test_zone_of_an_allowed_region if count(main.deny_region) == 0 with input as placed({"availability_zone": "eu-west-1b"})

test_region_elsewhere if count(main.deny_region) == 1 with input as placed({"region": "us-east-1"})

test_azure_location if count(main.deny_region) == 0 with input as placed({"location": "WestEurope"})

test_region_unknown_or_absent if count(main.deny_region) == 0 with input as placed({"region": null})
