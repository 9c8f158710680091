package other

size := 1 if input.kind == "Service"

size := 2 if input.spec

deny contains "y" if size == 1
