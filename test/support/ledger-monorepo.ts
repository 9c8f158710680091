/** One unit of a monorepo whose every apply and destroy leaves a line in a file outside, whatever our records say. */
export interface LedgerUnit {
  readonly name: string;
  /** Default `Application`. */
  readonly lifecycle?: string;
  /** Names of units whose `id` output this one takes as its input `upstream`. */
  readonly after?: readonly string[];
  /** Further inputs as they stand in YAML. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Shell text in the provisioner before the line is written: `sleep 1`. */
  readonly slow?: string;
  /** Terraform text in addition; may refer to `var.upstream`, `var.<input>` and `terraform_data.this`. */
  readonly more?: string;
  /** Anything: another text means that the unit is to be made anew. */
  readonly generation?: string;
}

export interface LedgerEnvironment {
  readonly name?: string;
  /** Text of the environment's `spec` besides its compositions. Default: production with one approval of platform-leads. */
  readonly spec?: string;
}

/**
 * Files of a monorepo of one composition a unit, all in one environment. A unit's resource is made anew when its
 * generation or an upstream id changes, and appends `create NAME GENERATION` or `destroy NAME GENERATION` to `ledger`.
 */
export function ledgerMonorepo(
  ledger: string,
  units: readonly LedgerUnit[],
  {
    name = "prod",
    spec = "  tier: production\n  approvals: {groups: [platform-leads], quorum: 1}\n",
  }: LedgerEnvironment = {},
): Record<string, string> {
  const files: Record<string, string> = {
    ".gitignore": ".xcf/\n",
    ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
    [`envs/${name}/environment.yaml`]: `kind: Environment\nmetadata: {name: ${name}}\nspec:\n${spec}  compositions:\n${units
      .map((unit) => `    - ref: compositions/${unit.name}\n`)
      .join("")}`,
  };
  for (const unit of units) {
    files[`compositions/${unit.name}.yaml`] = composition(ledger, unit);
    files[`modules/${unit.name}/main.tf`] = module(unit);
  }
  return files;
}

/** An environment whose author may approve alone, for stories in which approval is not the point. */
export const SELF_APPROVED: LedgerEnvironment = {
  name: "dev",
  spec: "  tier: development\n  approvals: {selfApproval: true}\n",
};

function composition(
  ledger: string,
  { name, lifecycle = "Application", after = [], inputs = {}, generation = "1" }: LedgerUnit,
): string {
  const given = {
    ledger: JSON.stringify(ledger),
    generation: JSON.stringify(generation),
    upstream: `[${after.map((unit) => `"\${outputs.${unit}.unit.id}"`).join(", ")}]`,
    ...inputs,
  };
  return `kind: Composition
metadata: {name: ${name}}
spec:
  lifecycle: ${lifecycle}
  modules:
    - name: unit
      ref: modules/${name}
      inputs:
${Object.entries(given)
  .map(([key, value]) => `        ${key}: ${value}\n`)
  .join("")}`;
}

function module({ name, inputs = {}, slow, more = "" }: LedgerUnit): string {
  const before = slow === undefined ? "" : `${slow}; `;
  const append = (verb: string): string =>
    `${before}echo ${verb} ${name} \${self.input.generation} >> \${self.input.ledger}`;
  return `${["ledger", "generation", "upstream", ...Object.keys(inputs)].map((key) => `variable "${key}" {}\n`).join("")}
resource "terraform_data" "this" {
  input            = { ledger = var.ledger, generation = var.generation, upstream = var.upstream }
  triggers_replace = [var.generation, var.upstream]
  provisioner "local-exec" {
    command = "${append("create")}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "${append("destroy")}"
  }
}
output "id" {
  value = terraform_data.this.id
}
${more}`;
}
