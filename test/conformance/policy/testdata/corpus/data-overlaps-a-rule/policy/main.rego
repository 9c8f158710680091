package main

deny contains "from the rule" if true
