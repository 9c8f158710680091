package main

import future.keywords.if

deny[msg] if {
  msg := "never"
}
