package main

deny contains "a" if input.a

deny contains "b" if input.b

deny contains "c" if input.c

deny_other contains "d" if input.d

warn contains "e" if input.e
