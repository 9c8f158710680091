package main_test

import data.main

bucket(type, after) := {"resource_changes": [{
	"address": "b",
	"type": type,
	"change": {"actions": ["create"], "after": after, "after_unknown": {}},
}]}

test_bucket_private if count(main.deny_public_bucket) == 0 with input as bucket("aws_s3_bucket", {"acl": "private"})

test_bucket_acl if count(main.deny_public_bucket) == 1 with input as bucket("aws_s3_bucket_acl", {"acl": "public-read"})

test_bucket_block_off if {
	found := main.deny_public_bucket with input as bucket(
		"aws_s3_bucket_public_access_block",
		{"block_public_acls": true, "block_public_policy": false, "restrict_public_buckets": false},
	)
	count(found) == 2
}

test_bucket_all_users if {
	found := main.deny_public_bucket with input as bucket("google_storage_bucket_iam_binding", {"members": ["allUsers"]})
	count(found) == 1
}

test_bucket_one_member if {
	found := main.deny_public_bucket with input as bucket("google_storage_bucket_iam_member", {"member": "user:ada"})
	count(found) == 0
}

test_storage_account if {
	found := main.deny_public_bucket with input as bucket(
		"azurerm_storage_account",
		{"allow_nested_items_to_be_public": true},
	)
	count(found) == 1
}

test_unknown_acl_is_sensitive if {
	change := {"actions": ["create"], "after": {}, "after_unknown": {"acl": true}}
	found := main.sensitive_paths with input as {"resource_changes": [{"address": "b", "type": "aws_s3_bucket", "change": change}]}
	found == {{"resource": "b", "path": "acl"}}
}
