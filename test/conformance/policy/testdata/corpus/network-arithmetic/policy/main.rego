package main

deny contains "too wide" if net.cidr_contains("10.0.0.0/8", input.cidr)
