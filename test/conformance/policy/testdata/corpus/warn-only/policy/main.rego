package main

warn contains "one replica only" if input.spec.replicas == 1
