package main

import future.keywords.in
import future.keywords.contains
import future.keywords.if

deny contains msg if {
  some x in input.ports
  x == 80
  msg := "80"
}

deny[msg] {
  input.ports[_] == 443
  msg := "443"
}
