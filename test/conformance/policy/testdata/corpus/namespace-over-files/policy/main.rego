package main

deny contains "first" if true
