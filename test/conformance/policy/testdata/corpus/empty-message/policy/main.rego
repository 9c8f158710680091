package main

deny contains "" if true

deny contains {"msg": "", "why": "nothing"} if true

warn contains "w" if true
