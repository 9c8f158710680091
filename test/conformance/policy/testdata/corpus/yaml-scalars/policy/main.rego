package main

deny contains sprintf("%v %s", [key, type_name(value)]) if some key, value in input
