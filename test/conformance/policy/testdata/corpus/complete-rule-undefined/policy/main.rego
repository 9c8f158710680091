package main

deny := ["x"] if input.never
