package main

deny contains nosuch(input.x) if true
