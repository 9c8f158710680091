package main

deny contains {"message": "x"} if true
