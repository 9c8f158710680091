package main

deny.network contains "nested" if true

deny_x contains "x" if true
