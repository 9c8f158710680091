package main

deny_name contains "deny_name" if true

deny_a_b_c contains "deny_a_b_c" if true

violation_X9 contains {"msg": "violation_X9"} if true

warn_1 contains "warn_1" if true
