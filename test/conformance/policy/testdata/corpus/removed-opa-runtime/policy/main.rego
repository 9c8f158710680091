package main

deny contains "has an environment" if opa.runtime().env
