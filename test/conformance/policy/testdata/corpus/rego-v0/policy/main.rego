package main

deny[msg] {
  input.kind == "Service"
  msg := "v0"
}

warn[{"msg": msg}] {
  msg = sprintf("%d", [count(input.metadata)])
}
