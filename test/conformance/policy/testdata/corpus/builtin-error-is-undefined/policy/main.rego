package main

deny contains "not reached" if to_number(input.kind) > 1

warn contains "reached" if not to_number(input.kind)
