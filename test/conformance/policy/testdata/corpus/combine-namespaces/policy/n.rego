package other

deny contains "two" if count(input) == 2
