package main

deny contains sprintf("%v=%v %s", [key, value, type_name(value)]) if some key, value in input
