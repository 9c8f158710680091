package main

deny contains {"msg": "here", "_loc": {"file": "main.tf", "line": 7}} if true

deny contains {"msg": "file only", "_loc": {"file": "main.tf"}} if true

deny contains {"msg": "no location", "_loc": "main.tf:7"} if true

deny contains {"msg": "empty", "_loc": {}} if true
