package main

deny contains "reached" if http.send({"method": "get", "url": "http://127.0.0.1:1/", "raise_error": false}).status_code == 0
