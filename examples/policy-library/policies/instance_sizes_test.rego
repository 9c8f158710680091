package main_test

import data.main

machine(type, after) := {"resource_changes": [{"address": "m", "type": type, "change": {"actions": ["update"], "after": after}}]}

test_size_allowed if count(main.deny_instance_size) == 0 with input as machine("aws_instance", {"instance_type": "t3.micro"})

test_size_too_big if {
	count(main.deny_instance_size) == 1 with input as machine("aws_instance", {"instance_type": "p5.48xlarge"})
}

test_size_of_other_types if count(main.deny_instance_size) == 0 with input as machine("aws_lambda_function", {"size": "big"})

test_size_unknown if count(main.deny_instance_size) == 0 with input as machine("aws_instance", {"instance_type": null})
