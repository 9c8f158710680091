package main

deny contains {"msg": 7} if true
