package main

test_denies if count(deny) == 1 with input as {"kind": "Service"}
