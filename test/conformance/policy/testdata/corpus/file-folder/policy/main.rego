package main

import data.conftest.file

deny contains sprintf("%s %s", [file.name, file.dir]) if true
