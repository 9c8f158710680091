package lib.names

valid(name) if regex.match(`^[a-z]{5,}$`, name)
