variable "name" {
  type = string
}

variable "image" {
  type = string
}

variable "replicas" {
  type = number
}

variable "host" {
  type = string
}

variable "settings" {
  type = map(string)
}

variable "password" {
  type      = string
  sensitive = true
  default   = null
}

resource "terraform_data" "service" {
  input = {
    kind     = "service"
    name     = var.name
    image    = var.image
    replicas = var.replicas
    settings = var.settings
    password = var.password
  }
}

output "url" {
  value = "https://${var.host}/${substr(terraform_data.service.id, 0, 8)}"
}
