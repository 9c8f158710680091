# Object storage is not open to everybody.
package main

import data.lib.changes

deny_public_bucket contains {"msg": msg, "resource": change.address} if {
	some change in changes.kept
	some why in public_reasons(change.type, change.change.after)
	msg := sprintf("%s is open to everybody: %s", [change.address, why])
}

public_reasons(type, after) := {sprintf("acl %s", [after.acl])} if {
	type in {"aws_s3_bucket", "aws_s3_bucket_acl", "alicloud_oss_bucket", "alicloud_oss_bucket_acl"}
	startswith(after.acl, "public-")
}

public_reasons("aws_s3_bucket_public_access_block", after) := {flag |
	some flag in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"]
	after[flag] == false
}

public_reasons(type, after) := {sprintf("member %s", [member]) |
	some member in array.concat(object.get(after, "members", []), [object.get(after, "member", "")])
	member in {"allUsers", "allAuthenticatedUsers"}
} if {
	type in {"google_storage_bucket_iam_member", "google_storage_bucket_iam_binding"}
}

public_reasons("azurerm_storage_account", after) := {"allow_nested_items_to_be_public"} if {
	after.allow_nested_items_to_be_public == true
}

# Nobody can approve these without having seen them.
sensitive_paths contains {"resource": change.address, "path": "acl"} if {
	some change in changes.kept
	change.type in {"aws_s3_bucket", "aws_s3_bucket_acl", "alicloud_oss_bucket", "alicloud_oss_bucket_acl"}
	changes.unknown(change, "acl")
}
