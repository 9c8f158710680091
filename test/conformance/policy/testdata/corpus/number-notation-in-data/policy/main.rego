package main

deny contains sprintf("%v: %v", [i, x]) if some i, x in data.numbers
