package main

deny_x contains "d" if true

violation_x contains {"msg": "v"} if true

warn_x contains "w" if true

warn_y contains "y" if true

exception contains ["x"] if true
