package main

deny[msg] if {
	msg := "never reported"
}
