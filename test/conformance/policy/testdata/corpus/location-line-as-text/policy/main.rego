package main

deny contains {"msg": "here", "_loc": {"file": "main.tf", "line": "7"}} if true
