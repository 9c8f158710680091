package main

deny contains "x" if count(7) == 1
