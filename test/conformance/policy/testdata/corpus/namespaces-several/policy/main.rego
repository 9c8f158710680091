package main

deny contains "main" if true
