/** A small monorepo: a network, a database in it, and an app that depends on both. */
export function shopFiles(): Record<string, string> {
  return {
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop"]),
    "compositions/network.yaml": composition("network", "Foundation", [
      { name: "vpc", ref: "modules/vpc", inputs: {} },
    ]),
    "compositions/payments.yaml": composition("payments", "Platform", [
      { name: "db", ref: "modules/db", inputs: { subnets: "${outputs.network.vpc.subnets}" } },
    ]),
    "compositions/shop.yaml": composition("shop", "Application", [
      { name: "web", ref: "modules/web", inputs: { url: "${outputs.payments.db.url}" } },
    ]),
    "modules/vpc/main.tf": 'output "subnets" {\n  value = ["a"]\n}\n',
    "modules/db/main.tf":
      'variable "subnets" {}\nmodule "naming" {\n  source = "../naming"\n}\noutput "url" {\n  value = "x"\n}\n',
    "modules/web/main.tf": 'variable "url" {}\n',
    "modules/naming/main.tf": 'output "name" {\n  value = "n"\n}\n',
    "policies/main.rego": "package main\n",
  };
}

export interface ModuleWish {
  readonly name: string;
  readonly ref: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

export function composition(
  name: string,
  lifecycle: string,
  modules: readonly ModuleWish[],
  spec: Readonly<Record<string, unknown>> = {},
): string {
  return document("Composition", name, { lifecycle, modules, ...spec });
}

export function environment(
  name: string,
  tier: string,
  compositions: readonly string[],
  spec: Readonly<Record<string, unknown>> = {},
): string {
  return document("Environment", name, {
    tier,
    compositions: compositions.map((composed) => ({ ref: `compositions/${composed}` })),
    ...spec,
  });
}

/** JSON is YAML. */
export function document(kind: string, name: string, spec: unknown): string {
  return `${JSON.stringify({ apiVersion: "xcloudflow.io/v1alpha1", kind, metadata: { name }, spec }, null, 2)}\n`;
}
