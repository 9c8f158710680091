package main

deny contains sprintf("%s is misnamed", [data.conftest.file.name]) if not endswith(data.conftest.file.name, ".config.yaml")
