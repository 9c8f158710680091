package terraform.aws_test

import data.terraform.aws

test_aws if count(aws.deny) == 1
