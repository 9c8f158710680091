package other

deny_a contains "y" if true

exception contains "a" if true
