package main

denyall contains "denyall" if true

deny_ contains "deny_" if true

deny__x contains "deny__x" if true

warnings contains "warnings" if true

Deny contains "Deny" if true

my_deny contains "my_deny" if true

violations contains "violations" if true
