/** Path → content of what `xcf init` writes: small enough to read whole, complete enough to plan and apply. */
export const SCAFFOLD: Readonly<Record<string, string>> = {
  ".xcf.yaml": `# What holds for the whole repository. docs/dsl.md of XCloudFlow describes every field.
apiVersion: xcloudflow.io/v1alpha1
kind: Platform
metadata:
  name: platform
spec: {}
`,
  ".gitignore": `.xcf/
node_modules/
.terraform/
*.tfstate
*.tfstate.*
`,
  "envs/dev/environment.yaml": `apiVersion: xcloudflow.io/v1alpha1
kind: Environment
metadata:
  name: dev
spec:
  tier: development
  # A lone user may approve their own change here, and the audit log says so. Only a development environment can.
  approvals:
    selfApproval: true
  compositions:
    - ref: compositions/network
    - ref: compositions/hello
`,
  "compositions/network.yaml": `# Foundation: everything else stands on it, so a change here always asks a person.
apiVersion: xcloudflow.io/v1alpha1
kind: Composition
metadata:
  name: network
spec:
  lifecycle: Foundation
  changeFrequency: low
  modules:
    - ref: modules/network
      inputs:
        cidr: 10.0.0.0/16
`,
  "compositions/hello.yaml": `# An application that uses an output of the network: \${outputs.<composition>.<module>.<output>} makes a dependency.
apiVersion: xcloudflow.io/v1alpha1
kind: Composition
metadata:
  name: hello
spec:
  lifecycle: Application
  changeFrequency: high
  modules:
    - name: app
      ref: modules/hello
      inputs:
        greeting: Hello from \${env.name}
        network: \${outputs.network.network.id}
`,
  "modules/network/main.tf": `# terraform_data is built into Terraform: this plans and applies without any provider or account.
variable "cidr" {
  type = string
}

resource "terraform_data" "network" {
  input = { cidr = var.cidr }
}

output "id" {
  value = terraform_data.network.id
}
`,
  "modules/hello/main.tf": `variable "greeting" {
  type = string
}

variable "network" {
  type = string
}

resource "terraform_data" "app" {
  input = { greeting = var.greeting, network = var.network }
}

output "greeting" {
  value = terraform_data.app.output.greeting
}
`,
  "policies/protect.rego": `package main

import rego.v1

# What stands on the ground is not destroyed by accident.
deny_foundation_destroy contains msg if {
	input.xcf.lifecycle == "Foundation"
	some change in input.resource_changes
	"delete" in change.change.actions
	msg := sprintf("%s would delete %s", [input.xcf.unit, change.address])
}
`,
  "policies/protect_test.rego": `package main_test

import data.main
import rego.v1

change(actions) := {"address": "terraform_data.network", "change": {"actions": actions}}

test_destroying_foundation_is_denied if {
	count(main.deny_foundation_destroy) == 1 with input as {"xcf": {"lifecycle": "Foundation", "unit": "dev/network/network"}, "resource_changes": [change(["delete"])]}
}

test_creating_foundation_is_allowed if {
	count(main.deny_foundation_destroy) == 0 with input as {"xcf": {"lifecycle": "Foundation", "unit": "dev/network/network"}, "resource_changes": [change(["create"])]}
}
`,
  "playbooks/README.md": `Ansible and SSH playbooks of the Config layer go here.
`,
};
