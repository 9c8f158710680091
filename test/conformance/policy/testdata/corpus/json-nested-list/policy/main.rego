package main

deny contains sprintf("%d", [count(input)]) if is_array(input)
