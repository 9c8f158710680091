package main

deny_if(x) := sprintf("%v", [x])

deny contains deny_if("x") if true
