package main

deny contains "a" if input.a == 1
