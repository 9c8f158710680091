/** A monorepo of one Foundation, one Platform and one Application unit in production, approved by platform-leads. */
export const SMALL_MONOREPO: Readonly<Record<string, string>> = {
  ".gitignore": ".xcf/\n",
  ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
  "envs/prod/environment.yaml": `kind: Environment
metadata: {name: prod}
spec:
  tier: production
  approvals: {groups: [platform-leads], quorum: 1}
  compositions:
    - ref: compositions/network
    - ref: compositions/database
    - ref: compositions/shop
`,
  "compositions/network.yaml": composition("network", "Foundation", "low", "cidr: 10.0.0.0/16"),
  "compositions/database.yaml": composition(
    "database",
    "Platform",
    "medium",
    "network: ${outputs.network.unit.id}\n        size: small",
  ),
  "compositions/shop.yaml": composition(
    "shop",
    "Application",
    "high",
    "database: ${outputs.database.unit.id}\n        replicas: 2",
  ),
  "modules/network/main.tf": module("cidr"),
  "modules/database/main.tf": module("network", "size"),
  "modules/shop/main.tf": module("database", "replicas"),
  "policies/main.rego": `package main

import rego.v1

deny contains msg if {
	some change in input.resource_changes
	change.change.after.input.size == "gigantic"
	msg := sprintf("%s is too large", [input.xcf.unit])
}
`,
};

function composition(name: string, lifecycle: string, frequency: string, inputs: string): string {
  return `kind: Composition
metadata: {name: ${name}}
spec:
  lifecycle: ${lifecycle}
  changeFrequency: ${frequency}
  modules:
    - name: unit
      ref: modules/${name}
      inputs:
        ${inputs}
`;
}

function module(...names: readonly string[]): string {
  const variables = names.map((name) => `variable "${name}" {}\n`).join("");
  return `${variables}resource "terraform_data" "this" {\n  input = { ${names.map((name) => `${name} = var.${name}`).join(", ")} }\n}\noutput "id" {\n  value = terraform_data.this.id\n}\n`;
}
