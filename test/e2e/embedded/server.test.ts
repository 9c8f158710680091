import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { execa } from "execa";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { type GrpcJsClient, grpcJsClient, grpcurl } from "../../support/grpc-tools.ts";
import { SMALL_MONOREPO } from "../../support/small-monorepo.ts";
import { createTestRepository, type TestRepository } from "../../support/xcf-cli.ts";

const terraform = requireEngine("terraform");
const curl = requireEngine("grpcurl");
const API = "xcloudflow.api.v1.ApiService";
const serverSchema = z.object({ grpc: z.string(), http: z.string(), pid: z.number() });

let repository: TestRepository;
let server: ChildProcess;
let addresses: z.infer<typeof serverSchema>;
let token: string;

before(async () => {
  repository = await createTestRepository();
  await repository.commit(SMALL_MONOREPO);
  server = await repository.start(["up", "-o", "json"]);
  if (server.stdout === null) throw new Error("the server has no output");
  // The addresses are one JSON document over several lines, printed once the server answers.
  let text = "";
  for await (const line of createInterface({ input: server.stdout })) {
    text += line;
    if (line === "}") break;
  }
  addresses = serverSchema.parse(JSON.parse(text));
  token = (await readFile(join(repository.folder, ".xcf", "token"), "utf8")).trim();
});

after(async () => {
  server.kill("SIGTERM");
  if (server.exitCode === null) await once(server, "exit");
  await repository.dispose();
});

function client(withToken: string): Promise<GrpcJsClient> {
  const { hostname, port } = new URL(addresses.grpc);
  return grpcJsClient({ host: hostname, port: Number(port), url: addresses.grpc }, withToken, API);
}

async function tokenFor(role: string, user: string, group?: string): Promise<string> {
  const { out, err, code } = await repository.xcf([
    "token",
    "create",
    "--role",
    role,
    "--user",
    user,
    ...(group === undefined ? [] : ["--group", group]),
  ]);
  assert.equal(code, 0, err);
  return out.trim();
}

async function ended(api: GrpcJsClient, id: string): Promise<Record<string, unknown>> {
  const deadline = AbortSignal.timeout(60_000);
  for (;;) {
    deadline.throwIfAborted();
    const { run } = z.object({ run: z.record(z.string(), z.unknown()) }).parse(await api.unary("GetRun", { id }));
    if (run["ended_at"] !== undefined && run["ended_at"] !== "") return run;
    await api.stream("WatchRun", { id }, 1);
  }
}

test("a @grpc/grpc-js client takes a change all the way: plan, approval by another person, apply", {
  skip: terraform.skip,
}, async () => {
  const author = await client(await tokenFor("operator", "author@example.com"));
  const lead = await client(await tokenFor("approver", "lead@example.com", "platform-leads"));
  const started = z.object({ run: z.object({ id: z.string() }) });
  const plan = started.parse(
    await author.unary("StartRun", { kind: "plan", repository: repository.folder, environment: "prod" }),
  );
  const planned = await ended(author, plan.run.id);
  assert.equal(planned["status"], "succeeded", JSON.stringify(planned));
  const changeSet = String(planned["change_set"]);

  const refused = await author.failure("Approve", { change_set: changeSet });
  assert.match(refused.message, /PERMISSION_DENIED/);
  const view = z.object({ change_set: z.object({ phase: z.string() }) });
  assert.equal(view.parse(await lead.unary("Approve", { change_set: changeSet })).change_set.phase, "approved");

  const apply = started.parse(await author.unary("StartRun", { kind: "apply", change_set: changeSet }));
  const applied = await ended(author, apply.run.id);
  assert.equal(applied["status"], "succeeded", JSON.stringify(applied));
  author.close();
  lead.close();
});

test("grpcurl lists every service, health is SERVING, and without a token every other call is UNAUTHENTICATED", {
  skip: curl.skip,
}, async () => {
  const address = new URL(addresses.grpc).host;
  const listed = await grpcurl(["-plaintext", "-H", `authorization: Bearer ${token}`, address, "list"]);
  for (const name of ["api", "planner", "policy", "router", "orchestrator", "state", "secrets", "audit"])
    assert.match(listed.stdout, new RegExp(`xcloudflow\\.${name}\\.v1\\.`));
  const health = await grpcurl([
    "-plaintext",
    "-H",
    `authorization: Bearer ${token}`,
    address,
    "grpc.health.v1.Health/Check",
  ]);
  assert.match(health.stdout, /SERVING/);
  const anonymous = await grpcurl([
    "-plaintext",
    "-reflect-header",
    `authorization: Bearer ${token}`,
    address,
    `${API}/GetServerInfo`,
  ]);
  assert.match(anonymous.stderr, /Unauthenticated/);
  const open = await grpcurl([
    "-plaintext",
    "-reflect-header",
    `authorization: Bearer ${token}`,
    address,
    "grpc.health.v1.Health/Check",
  ]);
  assert.match(open.stdout, /SERVING/);
});

test("terraform itself keeps its state here with a writing token, and is refused without one", {
  skip: terraform.skip,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "xcf-plain-terraform-"));
  const { out } = await repository.xcf(["token", "create", "--role", "operator", "--write-state"]);
  const reader = await tokenFor("operator", "reader@example.com");
  const address = `${addresses.http}/terraform/default/prod/by-hand/unit`;
  const backend = `backend "http" {\n address = "${address}"\n lock_address = "${address}"\n unlock_address = "${address}"\n username = "any"\n}`;
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "main.tf"),
    `terraform {\n${backend}\n}\nresource "terraform_data" "this" {\n input = "kept"\n}\n`,
  );
  const run = (password: string, ...words: string[]) =>
    execa(terraform.path ?? "terraform", words, {
      cwd: folder,
      env: { TF_HTTP_PASSWORD: password, TF_CLI_CONFIG_FILE: "/dev/null", PATH: process.env.PATH ?? "" },
      extendEnv: false,
      reject: false,
    });
  try {
    assert.equal((await run(out.trim(), "init", "-input=false")).exitCode, 0);
    const refused = await run(reader, "apply", "-auto-approve", "-input=false");
    assert.notEqual(refused.exitCode, 0);
    const applied = await run(out.trim(), "apply", "-auto-approve", "-input=false");
    assert.equal(applied.exitCode, 0, applied.stderr);
    const pulled = await repository.xcf(["state", "pull", "prod/by-hand/unit"]);
    assert.match(pulled.out, /"kept"/, pulled.err);
    const written = await repository.xcf(["audit", "query", "--type", "state.engine-state", "-o", "json"]);
    assert.match(written.out, /written-by-hand/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
