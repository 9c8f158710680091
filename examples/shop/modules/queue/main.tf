variable "name" {
  type = string
}

variable "retention_days" {
  type = number
}

resource "terraform_data" "queue" {
  input = { kind = "queue", name = var.name, retention_days = var.retention_days }
}

output "url" {
  value = "amqp://${var.name}-${substr(terraform_data.queue.id, 0, 8)}.mq.internal"
}
