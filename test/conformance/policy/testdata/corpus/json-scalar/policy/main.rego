package main

deny contains sprintf("%v", [input]) if input == 3
