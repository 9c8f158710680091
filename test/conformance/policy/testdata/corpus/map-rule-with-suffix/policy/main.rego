package main

warn_x["y"] if input.kind == "Service"
