package main

deny contains "wrong kind" if input.kind != "Service"
