package main

deny contains sprintf("%v=%v", [key, value]) if some key, value in input
