package main

deny contains sprintf("%s %v", [name, service.image]) if some name, service in input.services
