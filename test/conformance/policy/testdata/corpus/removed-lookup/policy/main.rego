package main

deny contains "resolved" if count(net.lookup_ip_addr("localhost")) > 0
