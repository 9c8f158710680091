package main

deny contains 1 if true

deny contains null if true

deny contains true if true

deny contains ["a"] if true

deny contains "text" if true
