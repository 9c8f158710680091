package main

deny contains sprintf("%v", [data.conftest]) if true
