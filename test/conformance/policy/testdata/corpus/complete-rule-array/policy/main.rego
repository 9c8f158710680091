package main

deny := input.messages
