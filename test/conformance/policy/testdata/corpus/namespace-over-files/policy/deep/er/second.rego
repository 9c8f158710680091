package main

deny contains "second" if input.never

warn contains "warned" if true
