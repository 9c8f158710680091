package terraform.gcp

warn contains "gcp" if true
