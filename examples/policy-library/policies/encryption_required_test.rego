package main_test

import data.main

volume(after, unknown) := {"resource_changes": [{
	"address": "v",
	"type": "aws_ebs_volume",
	"change": {"actions": ["create"], "after": after, "after_unknown": unknown},
}]}

test_encrypted if count(main.deny_encryption) == 0 with input as volume({"encrypted": true}, {})

test_not_encrypted if count(main.deny_encryption) == 1 with input as volume({"encrypted": false}, {})

test_encryption_not_said if count(main.deny_encryption) == 1 with input as volume({"encrypted": null}, {})

test_encryption_not_known_yet if {
	count(main.deny_encryption) == 0 with input as volume({}, {"encrypted": true})
	main.sensitive_paths == {{"resource": "v", "path": "encrypted"}} with input as volume({}, {"encrypted": true})
}
