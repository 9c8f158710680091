package main

small if input.spec.replicas < 2

deny contains "too small" if small

warn contains "small" if small
