import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { expectedProcesses } from "./expected-processes.ts";

const root = dirname(dirname(dirname(import.meta.dirname)));

const service = z.looseObject({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  user: z.string().optional(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.unknown()).default([]),
  deploy: z.object({ replicas: z.number() }).optional(),
});
const compose = z.looseObject({ services: z.record(z.string(), service) });

const { services } = compose.parse(parse(readFileSync(join(root, "docker-compose.yml"), "utf8"), { merge: true }));
const ours = Object.entries(services).filter(([, { image }]) => image.startsWith("xcloudflow/"));

test("the compose file has every process, with the environment the chart gives it", () => {
  const processes = ours.filter(([name]) => name !== "ca" && name !== "migrate");
  assert.deepEqual(
    Object.fromEntries(processes.map(([name, { environment }]) => [name, Object.keys(environment).sort()])),
    Object.fromEntries(expectedProcesses.map(({ name, environment }) => [name, environment])),
  );
  for (const { name, image } of expectedProcesses) assert.equal(services[name]?.image, `xcloudflow/${image}`);
});

test("addresses lead to services of the file", () => {
  const addresses = ours.flatMap(([, { environment }]) =>
    Object.entries(environment).filter(([name]) => name.startsWith("XCF_") && name.endsWith("_URL")),
  );
  assert.ok(addresses.length > 20);
  for (const [name, value] of addresses) {
    const { hostname } = new URL(value.replace(/\$\{[^}]*\}/g, "x"));
    assert.ok(hostname in services, `${name} leads to ${hostname}`);
  }
});

test("each service signs in to the database with its own role", () => {
  for (const [name, { environment }] of ours) {
    const url = environment["XCF_DATABASE_URL"];
    if (url !== undefined) assert.match(url, new RegExp(`^postgres://xcf_${name}_login:`));
  }
});

test("every pool has two workers, and what runs is neither root nor able to write its image", () => {
  for (const { name } of expectedProcesses) {
    if (name.startsWith("runner-")) assert.equal(services[name]?.deploy?.replicas, 2);
    assert.equal(services[name]?.user, "10001:10001");
    assert.equal(services[name]?.read_only, true);
    assert.deepEqual(services[name]?.cap_drop, ["ALL"]);
  }
});

test("only the public port is open, and to this machine alone", () => {
  const open = Object.entries(services).flatMap(([name, { ports }]) => ports.map((port) => [name, port]));
  assert.deepEqual(open, [["api", "127.0.0.1:9443:9443"]]);
});

test("each process has a certificate made for it and a user on the bus", () => {
  const members = services["ca"]?.environment["XCF_CA_MEMBERS"]?.split(",");
  const bus = readFileSync(join(root, "deploy/docker/nats.conf"), "utf8");
  assert.deepEqual(members, [...expectedProcesses.map(({ name }) => name), "nats"]);
  for (const { name, environment } of expectedProcesses) {
    assert.equal(bus.includes(`user: ${name},`), environment.includes("XCF_NATS_USER"), name);
  }
});

test("each image of ours has a Dockerfile that bundles the process's own entry and runs it as nobody", () => {
  const entries = new Map(expectedProcesses.map(({ image, entry }) => [image, entry]));
  entries.set("migrate", "deploy/mesh/src/migrate-main.ts").set("ca", "deploy/mesh/src/ca-main.ts");
  for (const [name, { image, build, command }] of ours) {
    const own = image.replace("xcloudflow/", "");
    assert.equal(build?.dockerfile, `deploy/docker/${own}.Dockerfile`);
    assert.ok(existsSync(join(root, build?.dockerfile ?? "")), name);
    const text = readFileSync(join(root, build?.dockerfile ?? ""), "utf8");
    assert.ok(text.includes(`tools/bundle-process.ts ${entries.get(own)} /app\n`), name);
    assert.match(text, /\nUSER 10001:10001\n/);
    assert.ok(text.endsWith(`CMD ${JSON.stringify(command).replaceAll(",", ", ")}\n`), name);
    // What a Dockerfile copies in from the checkout must be there.
    for (const [, path = ""] of text.matchAll(/^COPY (tools\/\S+) /gm))
      assert.ok(existsSync(join(root, path, "go.mod")));
  }
});

test("a program that a process is told of is in its image", () => {
  for (const [name, { environment, image }] of ours) {
    const text = readFileSync(join(root, `deploy/docker/${image.replace("xcloudflow/", "")}.Dockerfile`), "utf8");
    for (const [variable, path] of Object.entries(environment)) {
      if (variable.startsWith("XCF_TOOL_")) assert.ok(text.includes(` ${path}\n`), `${name} has no ${path}`);
    }
  }
});
