/** Units of a monorepo in layers: each has two of the layer before it as its inputs. */
export interface Layered {
  readonly files: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  /** Address → addresses of all that depend on it, directly or not, itself included. */
  affectedBy(address: string): ReadonlySet<string>;
  readonly moduleOf: (address: string) => string;
}

const ROOT_MODULE = `variable "name" {
  type = string
}
variable "upstream" {
  type = list(string)
}
resource "terraform_data" "this" {
  input = { name = var.name, upstream = var.upstream }
}
output "id" {
  value = terraform_data.this.output.name
}
`;

/** `layers` × `width` units named `l<layer>-u<position>`, one composition and one module folder each, environment `dev`. */
export function layeredMonorepo(layers: number, width: number): Layered {
  const names = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: width }, (__, position) => `l${layer}-u${position}`),
  );
  const needs = new Map<string, string[]>();
  const files: Record<string, string> = {
    ".gitignore": ".xcf/\n",
    ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
    "envs/dev/environment.yaml": `kind: Environment
metadata: {name: dev}
spec:
  tier: development
  approvals: {selfApproval: true}
  compositions:
${names
  .flat()
  .map((name) => `    - ref: compositions/${name}\n`)
  .join("")}`,
  };
  for (const [layer, row] of names.entries()) {
    for (const [position, name] of row.entries()) {
      const before = names[layer - 1] ?? [];
      const upstream = [before[position], before[(position + 1) % width]].filter((one) => one !== undefined);
      needs.set(name, upstream);
      files[`modules/${name}/main.tf`] = ROOT_MODULE;
      files[`compositions/${name}.yaml`] = `kind: Composition
metadata: {name: ${name}}
spec:
  lifecycle: Application
  modules:
    - name: unit
      ref: modules/${name}
      inputs:
        name: ${name}
        upstream: [${upstream.map((one) => `"\${outputs.${one}.unit.id}"`).join(", ")}]
`;
    }
  }
  const addressOf = (name: string): string => `dev/${name}/unit`;
  return {
    files,
    addresses: names.flat().map(addressOf),
    moduleOf: (address) => `modules/${address.split("/")[1] ?? ""}/main.tf`,
    affectedBy(address) {
      const found = new Set([address]);
      for (const name of names.flat())
        if ((needs.get(name) ?? []).some((one) => found.has(addressOf(one)))) found.add(addressOf(name));
      return found;
    },
  };
}
