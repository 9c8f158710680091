package terraform.aws

deny contains "aws" if true
