package main_test

import data.main

tagged(tags) := {"resource_changes": [{
	"address": "aws_s3_bucket.logs",
	"type": "aws_s3_bucket",
	"change": {"actions": ["create"], "after": {"tags": tags}, "after_unknown": {}},
}]}

all_tags := {"owner": "a", "cost-center": "b", "environment": "c"}

test_tags_complete if count(main.deny_required_tags) == 0 with input as tagged(all_tags)

test_tags_missing if {
	found := main.deny_required_tags with input as tagged({"owner": "a", "environment": ""})
	{tag | some finding in found; tag := finding.tag} == {"cost-center", "environment"}
}

test_tags_null if count(main.deny_required_tags) == 3 with input as tagged(null)

test_tags_not_for_exempt_types if {
	role := {"address": "r", "type": "aws_iam_role", "change": {"actions": ["create"], "after": {"tags": {}}}}
	count(main.deny_required_tags) == 0 with input as {"resource_changes": [role]}
}

test_tags_not_known_yet if {
	change := {"actions": ["create"], "after": {"tags": null}, "after_unknown": {"tags": true}}
	bucket := {"address": "b", "type": "aws_s3_bucket", "change": change}
	count(main.deny_required_tags) == 0 with input as {"resource_changes": [bucket]}
}

test_tags_not_for_what_is_destroyed if {
	bucket := {"address": "b", "type": "aws_s3_bucket", "change": {"actions": ["delete"], "after": null}}
	count(main.deny_required_tags) == 0 with input as {"resource_changes": [bucket]}
}
