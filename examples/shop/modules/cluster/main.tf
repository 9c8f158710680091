variable "name" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

# joins_after: seconds until a pool's machines have joined. A real pool takes minutes.
variable "pools" {
  type = map(object({ machines = number, joins_after = number }))
}

resource "terraform_data" "cluster" {
  input = { kind = "cluster", name = var.name, subnets = var.subnet_ids }
}

resource "terraform_data" "pool" {
  for_each = var.pools
  input = {
    kind     = "node-pool"
    cluster  = terraform_data.cluster.id
    machines = each.value.machines
  }

  provisioner "local-exec" {
    command = "sleep ${each.value.joins_after}"
  }
}

output "id" {
  value = terraform_data.cluster.id
}
