package main

deny contains sprintf("%s %s", [data.conftest.file.name, data.conftest.file.dir]) if true
