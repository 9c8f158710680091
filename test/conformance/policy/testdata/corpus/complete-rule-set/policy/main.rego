package main

deny := {msg | msg := input.messages[_]}
