import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { engineEnvironment } from "@xcloudflow/runner-host/engine-environment";
import { createIsolation, type IsolationOptions } from "@xcloudflow/runner-host/isolation-settings";
import { identifyProcess, processesOfUser } from "@xcloudflow/runner-host/process-table-cli";
import { createTerraformEngine, terraformPlaces } from "@xcloudflow/runner-terraform/terraform-engine";
import { requireEngine } from "../support/engines.ts";
import { createTerraformFixture, type Files, type TerraformFixture, UNIT } from "./terraform-fixture.ts";

const terraform = requireEngine("terraform");
const providers = requireEngine("terraform-providers");
const skip = terraform.skip || (process.getuid?.() !== 0 && "engines get users of their own only from root");
const FIRST_UID = 900_100_000;
const CANARY = "canary-4f1d";

/** What a module of bad intent tries, each line answered with yes or no. The worker's own files have a canary in them. */
const hostile = (folder: string): Files => ({
  "main.tf": `resource "terraform_data" "hostile" {
  provisioner "local-exec" {
    command = "sh hostile.sh"
  }
}
`,
  "hostile.sh": `
scratch=$(cd ../../..; pwd)
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name=yes"; else echo "$name=no"; fi; }
try worker-key grep -q . ${folder}/worker/tls.key
try worker-environment grep -q . /proc/${process.pid}/environ
try worker-memory head -c 1 /proc/${process.pid}/maps
try other-attempts ls ${folder}/scratch
try archives ls ${folder}/cache/archives
try prepared ls ${folder}/cache/terraform/prepared
try plugin-cache touch ${folder}/cache/terraform/plugins/poison
try installer-home touch $scratch/install/poison
try attempt-record mv $scratch/attempt.json $scratch/moved.json
try own-output mv $scratch/engine.stdout $scratch/moved.stdout
try second-name ln ${folder}/worker/tls.key errored.tfstate
try signal-worker kill -0 ${process.pid}
try become-root su -c true root
try own-files touch written
try own-home touch "$HOME/written"
try own-tmp touch "\${TMPDIR:-/tmp}/written"
setsid sh -c "echo \\$\\$ > ${folder}/left/pid; exec sleep 600" >/dev/null 2>&1 </dev/null &
while [ ! -s ${folder}/left/pid ]; do sleep 0.05; done
ln -s ${folder}/worker/tls.key trap
`,
});

describe("a module of bad intent", { skip, timeout: 120_000 }, () => {
  let fixture: TerraformFixture;
  let closeIsolation = (): void => undefined;
  beforeEach(async () => {
    fixture = await createTerraformFixture();
    await fixture.worker.close();
    const folder = (name: string, mode: number): void => {
      mkdirSync(join(fixture.folder, name));
      chmodSync(join(fixture.folder, name), mode);
    };
    chmodSync(fixture.folder, 0o711);
    folder("worker", 0o755);
    folder("left", 0o777);
    writeFileSync(join(fixture.folder, "worker/tls.key"), CANARY, { mode: 0o600 });
  });
  afterEach(async () => {
    const pid = leftProcess();
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await fixture[Symbol.asyncDispose]();
    closeIsolation();
  });

  function leftProcess(): number | undefined {
    const entry = readdirSync(join(fixture.folder, "left")).find((name) => name === "pid");
    if (entry === undefined) return undefined;
    const pid = Number(readFileSync(join(fixture.folder, "left", entry), "utf8"));
    return identifyProcess(pid) === undefined ? undefined : pid;
  }

  async function startIsolated(
    changes: Partial<Pick<IsolationOptions, "level" | "egress">> & { readonly cliConfigFile?: string } = {},
  ): Promise<void> {
    // Where any user may start it: the tools' cache is below a home that is closed to others.
    const program = join(fixture.folder, "terraform");
    copyFileSync(terraform.path, program);
    chmodSync(program, 0o755);
    const environment = engineEnvironment(process.env);
    const clock = createSystemClock();
    const cacheRoot = join(fixture.folder, "cache");
    const { cliConfigFile, level = "user", egress = [] } = changes;
    const config = cliConfigFile === undefined ? {} : { cliConfigFile };
    const engine = await createTerraformEngine({ binary: program, cacheRoot, environment, clock, ...config });
    const isolation = await createIsolation({
      ...terraformPlaces(cacheRoot, cliConfigFile),
      level,
      egress,
      firstUid: FIRST_UID,
      scratchRoot: join(fixture.folder, "scratch"),
      programs: engine.programs ?? [],
      stateHttpAddress: fixture.plane.address,
      environment,
      clock,
      logger: silentLogger,
    });
    assert.ok(isolation);
    closeIsolation = () => isolation.close();
    fixture.worker = fixture.startWorker({ isolation: isolation.engines, engines: [engine] });
  }

  async function attack(other: Files = {}): Promise<Record<string, string>> {
    const files = { ...hostile(fixture.folder), ...other };
    const plan = await fixture.plan(files);
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const spec = fixture.spec(files, { kind: "apply", plan: saved, engineVersion: plan.engineVersion });
    const result = await fixture.plane.run(spec, { task: "attack" });
    assert.equal(result.kind, "applied", JSON.stringify(result));
    const lines = fixture.plane.logs.filter(({ task }) => task === "attack").map(({ text }) => text);
    return Object.fromEntries(
      lines.flatMap((line) => [...line.matchAll(/([a-z-]+)=(yes|no)/g)].map((m) => [m[1], m[2]])),
    );
  }

  const GUARDED = [
    "worker-key",
    "worker-environment",
    "worker-memory",
    "other-attempts",
    "archives",
    "prepared",
    "plugin-cache",
    "attempt-record",
    "own-output",
    "second-name",
    "signal-worker",
    "become-root",
  ];
  const OWN = ["own-files", "own-home", "own-tmp"];

  it("gets at everything of the worker's without isolation", async () => {
    fixture.worker = fixture.startWorker();
    const answers = await attack();
    for (const name of [...GUARDED, ...OWN]) assert.equal(answers[name], "yes", name);
    assert.equal(fixture.plane.recovered[0]?.text, CANARY, "its key was taken for the engine's state, and sent away");
    assert.notEqual(leftProcess(), undefined, "what it left behind goes on");
  });

  it("gets at nothing of the worker's as a user of its own, and leaves nothing behind", async () => {
    await startIsolated();
    const answers = await attack();
    for (const name of [...GUARDED, "installer-home"]) assert.equal(answers[name], "no", name);
    for (const name of OWN) assert.equal(answers[name], "yes", name);
    assert.deepEqual(fixture.plane.recovered, []);
    assert.equal(leftProcess(), undefined, "what it left behind was ended");
    await fixture.worker.close();
    assert.deepEqual(readdirSync(join(fixture.folder, "scratch")), []);
    assert.equal(fixture.plane.states.get(UNIT)?.includes("hostile"), true);
  });

  it("loses everything it started when the lease is lost, a process of another group included", async () => {
    await startIsolated();
    const files = { ...hostile(fixture.folder) };
    files["hostile.sh"] = `${files["hostile.sh"]}\necho has begun; sleep 600`;
    const plan = await fixture.plan(files);
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    void fixture.plane.run(fixture.spec(files, { kind: "apply", plan: saved }), { task: "lost" });
    await fixture.plane.logged("lost", /has begun/);
    assert.notEqual(leftProcess(), undefined);
    fixture.plane.lose("lost");
    await fixture.worker.close();
    assert.equal(leftProcess(), undefined);
    for (let uid = FIRST_UID; uid <= FIRST_UID + 64; uid += 1) assert.deepEqual(processesOfUser(uid), []);
  });

  for (const isolated of [false, true])
    it(`of two attempts at once ${isolated ? "cannot reach" : "reaches, without isolation,"} the other`, async () => {
      if (isolated) await startIsolated();
      else fixture.worker = fixture.startWorker();
      const left = join(fixture.folder, "left");
      const look = (own: string, other: string): Files => ({
        "main.tf": `resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "touch ${left}/${own}; while [ ! -e ${left}/go ]; do sleep 0.05; done; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\\\0' '\\\\n' | grep -q ^TF_HTTP_ADDRESS=.*shop/${other} && echo saw it || echo saw nothing"
  }
}
`,
      });
      const results = [];
      for (const [own, other] of [
        ["alpha", "beta"],
        ["beta", "alpha"],
      ] as const) {
        const [files, address] = [look(own, other), `dev/shop/${own}`];
        const plan = await fixture.plan(files, { address });
        const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
        results.push(fixture.plane.run(fixture.spec(files, { address, kind: "apply", plan: saved }), { task: own }));
      }
      const deadline = Date.now() + 60_000;
      while (readdirSync(left).length < 2) {
        assert.ok(Date.now() < deadline, "the attempts did not begin");
        await wait(25);
      }
      writeFileSync(join(left, "go"), "");
      for (const result of results) assert.equal((await result).kind, "applied");
      for (const task of ["alpha", "beta"]) {
        const said = fixture.plane.logs.find((line) => line.task === task && / saw /.test(line.text))?.text ?? "";
        assert.match(said, isolated ? /saw nothing/ : /saw it/);
      }
    });

  for (const level of ["user", "network"] as const)
    it(`goes where it likes as a user, and under network only where it may: ${level}`, async (context) => {
      const servers = [1, 2].map(() =>
        createServer((socket) => {
          socket.on("error", () => undefined);
          socket.end("hello\n");
        }),
      );
      context.after(() => {
        for (const server of servers) server.close();
      });
      const [open = 0, closed = 0] = await Promise.all(
        servers.map(async (server) => {
          await once(server.listen(0, "127.0.0.1"), "listening");
          const address = server.address();
          return typeof address === "object" ? address?.port : 0;
        }),
      );
      const egress = [
        { host: "127.0.0.1", port: open },
        { host: "localhost", port: closed },
      ];
      await startIsolated({ level, egress });
      const answers = await attack({
        "hostile.sh": `
try() { name=$1; shift; if bash -c "$*" >/dev/null 2>&1; then echo "$name=yes"; else echo "$name=no"; fi; }
try direct 'exec 3<>/dev/tcp/127.0.0.1/${closed}'
try direct-open 'exec 3<>/dev/tcp/127.0.0.1/${open}'
bash -c 'exec 3<>/dev/tcp/169.254.169.254/80' 2>&1 | grep -qi unreachable && echo metadata-unreachable=yes
tunnel() { bash -c 'exec 3<>/dev/tcp/127.0.0.1/3128 && printf "CONNECT '$1' HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" >&3 && head -1 <&3 | cut -d" " -f2' 2>/dev/null; }
echo "listed:$(tunnel 127.0.0.1:${open}) unlisted:$(tunnel 127.0.0.1:${closed}) metadata:$(tunnel 169.254.169.254:80) rebound:$(tunnel localhost:${closed});"
echo "proxy:$HTTPS_PROXY;"
`,
      });
      const said = fixture.plane.logs.map(({ text }) => text).join("\n");
      if (level === "user") {
        assert.deepEqual([answers["direct"], answers["direct-open"]], ["yes", "yes"]);
        return;
      }
      assert.deepEqual([answers["direct"], answers["direct-open"]], ["no", "no"]);
      assert.equal(answers["metadata-unreachable"], "yes");
      assert.match(said, /listed:200 unlisted:403 metadata:403 rebound:502;/);
      assert.match(said, /proxy:http:\/\/127\.0\.0\.1:3128;/);
      assert.ok(fixture.plane.states.has(UNIT), "the state backend is reached all the same");
    });

  it("leaves modules of good intent as they were: providers, their cache, and unknown inputs", {
    skip: providers.skip,
  }, async () => {
    const mirror = join(fixture.folder, "mirror");
    const random = join("registry.terraform.io", "hashicorp", "random");
    cpSync(join(providers.path, random), join(mirror, random), { recursive: true });
    const cliConfigFile = join(fixture.folder, "mirror.tfrc");
    writeFileSync(cliConfigFile, `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`);
    await startIsolated({ cliConfigFile });
    const files = {
      "main.tf": `variable "v" {}
terraform {
  required_providers {
    random = { source = "registry.terraform.io/hashicorp/random" }
  }
}
resource "random_id" "r" {
  byte_length = 4
  keepers     = { v = var.v }
}
`,
    };
    const unknown = { $xcf: "unknown", address: "dev/net/vpc", output: "id", sensitive: false } as const;
    const provisional = await fixture.plan(files, { provisional: true, inputs: { v: unknown } });
    assert.equal(provisional.status, "provisional", JSON.stringify(provisional.failure));
    assert.equal((await fixture.apply(files, { inputs: { v: "1" } })).kind, "applied");
    assert.equal((await fixture.plan(files, { inputs: { v: "1" } })).status, "unchanged");
    const cached = join(fixture.folder, "cache/terraform/plugins", random);
    for (const path of [cached, join(fixture.folder, "cache/terraform/plugins")]) {
      const { uid, mode } = statSync(path);
      assert.deepEqual([uid, mode & 0o022], [FIRST_UID, 0], path);
    }
  });

  it("is not run at all where its user could not be kept apart", async () => {
    chmodSync(fixture.folder, 0o700);
    await assert.rejects(startIsolated(), { code: "ISOLATION_UNAVAILABLE", message: /cannot reach/ });
    assert.deepEqual(fixture.plane.requests, []);
  });
});
