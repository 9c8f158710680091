package main

deny contains sprintf("%s=%v", [key, value]) if some key, value in input
