variable "name" {
  type = string
}

variable "engine_version" {
  type = string
}

variable "size" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

variable "public" {
  type = bool
}

resource "terraform_data" "database" {
  input = {
    kind    = "database"
    name    = var.name
    engine  = "postgres-${var.engine_version}"
    size    = var.size
    subnets = var.subnet_ids
    public  = var.public
  }
}

output "endpoint" {
  value = "${var.name}-${substr(terraform_data.database.id, 0, 8)}.db.internal:5432"
}

output "password" {
  value     = sha256(terraform_data.database.id)
  sensitive = true
}
