# terraform_data is built into Terraform: the whole shop plans and applies without a provider, an account or a network.
variable "name" {
  type = string
}

variable "cidr" {
  type = string
}

variable "zones" {
  type = list(string)
}

resource "terraform_data" "vpc" {
  input = { kind = "vpc", name = var.name, cidr = var.cidr }
}

resource "terraform_data" "subnet" {
  for_each = toset(var.zones)
  input = {
    kind = "subnet"
    zone = each.key
    cidr = cidrsubnet(var.cidr, 8, index(var.zones, each.key))
  }
}

output "id" {
  value = terraform_data.vpc.id
}

output "subnet_ids" {
  value = [for zone in var.zones : terraform_data.subnet[zone].id]
}
