package main

warn contains sprintf("%s: %v", [item.path, item.contents]) if some item in input
