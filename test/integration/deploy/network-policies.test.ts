import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { expectedProcesses } from "./expected-processes.ts";
import { readResources, renderChart } from "./rendered-chart.ts";

const helm = requireEngine("helm");

const peer = z.looseObject({
  podSelector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).default({}) }).optional(),
  ipBlock: z.object({ cidr: z.string(), except: z.array(z.string()).default([]) }).optional(),
});
const ports = z.array(z.object({ protocol: z.string(), port: z.number() }));
const policySpec = z.object({
  podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
  policyTypes: z.array(z.string()),
  ingress: z.array(z.object({ ports, from: z.array(peer).default([]) })).default([]),
  egress: z.array(z.object({ ports, to: z.array(peer).default([]) })).default([]),
});

const component = "app.kubernetes.io/component";

function policies(values?: string): Map<string, z.infer<typeof policySpec>> {
  const found = readResources(renderChart(helm.path, values)).filter(({ kind }) => kind === "NetworkPolicy");
  return new Map(
    found
      .map(({ spec }) => policySpec.parse(spec))
      .map((spec) => [spec.podSelector.matchLabels[component] ?? "", spec]),
  );
}

function peersOn(port: number, rules: { ports: z.infer<typeof ports>; peers: z.infer<typeof peer>[] }[]): string[] {
  return rules
    .filter((rule) => rule.ports.some((one) => one.port === port))
    .flatMap((rule) => rule.peers.flatMap(({ podSelector }) => podSelector?.matchLabels[component] ?? []));
}

test("nothing may talk to anything unless a policy says so", { skip: helm.skip }, () => {
  const whole = policies().get("");
  assert.deepEqual(whole?.policyTypes, ["Ingress", "Egress"]);
  assert.deepEqual([whole?.ingress, whole?.egress], [[], []]);
});

test("who may call and who may be called agree with the addresses each process is given", { skip: helm.skip }, () => {
  const found = policies();
  for (const { name, environment } of expectedProcesses) {
    const others = expectedProcesses.map((process) => process.name);
    const addresses = others.filter((other) => environment.includes(`XCF_${other.toUpperCase()}_URL`)).sort();
    const egress = found.get(name)?.egress.map(({ ports, to }) => ({ ports, peers: to })) ?? [];
    assert.deepEqual(peersOn(8443, egress).sort(), addresses, name);
    const callers = expectedProcesses.filter((process) =>
      process.environment.includes(`XCF_${name.toUpperCase()}_URL`),
    );
    const ingress = found.get(name)?.ingress.map(({ ports, from }) => ({ ports, peers: from })) ?? [];
    assert.deepEqual(peersOn(8443, ingress).sort(), callers.map((caller) => caller.name).sort(), name);
  }
});

test("only what has tables reaches the database, and only the API is open to the outside", { skip: helm.skip }, () => {
  const found = policies();
  for (const { name, environment } of expectedProcesses) {
    const reaches = (port: number) =>
      found.get(name)?.egress.some((rule) => rule.ports.some((one) => one.port === port));
    assert.equal(reaches(5432), environment.includes("XCF_DATABASE_URL"), name);
    assert.equal(reaches(4222), environment.includes("XCF_NATS_URL"), name);
    const open = found.get(name)?.ingress.some((rule) => rule.ports.some(({ port }) => port === 9443));
    assert.equal(open, name === "api", name);
  }
});

test("a worker reaches no cloud that is not named", { skip: helm.skip }, () => {
  for (const pool of ["plan", "apply"]) {
    const rules = policies().get(`runner-terraform-${pool}`)?.egress ?? [];
    assert.equal(
      rules.some((rule) => rule.ports.some(({ port }) => port === 443)),
      false,
    );
  }
});

test("even a rule for every address leaves the metadata endpoints out", { skip: helm.skip }, () => {
  let wide = 0;
  for (const values of [undefined, "everything"]) {
    for (const [name, { egress }] of policies(values)) {
      for (const { ipBlock } of egress.flatMap(({ to }) => to)) {
        if (ipBlock?.cidr === "0.0.0.0/0") assert.ok(ipBlock.except.includes("169.254.0.0/16"), name);
        if (ipBlock?.cidr === "::/0") assert.ok(ipBlock.except.includes("fd00:ec2::254/128"), name);
        if (ipBlock?.cidr.endsWith("/0")) wide += 1;
      }
    }
  }
  assert.ok(wide > 0);
});
