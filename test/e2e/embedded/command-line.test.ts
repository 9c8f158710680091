import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { OUTPUT_SCHEMAS } from "@xcloudflow/cli/output/output-schemas";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { SMALL_MONOREPO } from "../../support/small-monorepo.ts";
import { createTestRepository, type Outcome, type TestRepository } from "../../support/xcf-cli.ts";

const terraform = requireEngine("terraform");
const opa = requireEngine("opa");
const skip = terraform.skip || opa.skip;
const LEAD = "lead@example.com/platform-leads";
const idSchema = z.looseObject({ id: z.string() });

/** Parses what a verb printed by the schema that is published for it. */
function read(name: string, text: string): unknown {
  const [, schema] = OUTPUT_SCHEMAS[name] ?? assert.fail(`no output is called ${name}`);
  const result = schema.safeParse(JSON.parse(text));
  assert.ok(result.success, `${name}: ${result.error === undefined ? "" : z.prettifyError(result.error)}\n${text}`);
  return result.data;
}

describe("the command line", { skip }, () => {
  let repository: TestRepository;

  before(async () => {
    repository = await createTestRepository();
    await repository.commit(SMALL_MONOREPO);
  });
  after(() => repository.dispose());

  async function xcf(code: number, words: readonly string[], as?: string): Promise<Outcome> {
    const outcome = await repository.xcf(words, as === undefined ? {} : { as });
    assert.equal(outcome.code, code, `xcf ${words.join(" ")}\n${outcome.out}${outcome.err}`);
    return outcome;
  }

  async function json(name: string, code: number, words: readonly string[], as?: string): Promise<unknown> {
    return read(name, (await xcf(code, [...words, "-o", "json"], as)).out);
  }

  test("every result is of its published form, and ends with the documented exit code", async () => {
    await json("validate", 0, ["validate"]);
    await json("graph", 0, ["graph"]);
    await json("graph", 0, ["graph", "--affected"]);
    await json("explain", 0, ["explain", "compositions/shop"]);
    await json("doctor", 0, ["doctor"]);
    const { id } = idSchema.parse(await json("plan", 2, ["plan"]));
    await json("change-set", 0, ["show", id]);
    const run = idSchema.parse(await json("run", 3, ["apply", id]));
    await json("unlock", 0, ["unlock"]);
    await json("change-set", 0, ["approve", id], LEAD);
    await xcf(0, ["watch", run.id]);
    await json("run", 0, ["show", run.id]);
    await json("runs", 0, ["runs"]);
    await json("plan", 0, ["plan"]);
    await json("plans", 0, ["plan", "--all-envs"]);
    await json("why", 0, ["why", "prod/shop/unit"]);
    await json("states", 0, ["state", "list"]);
    await json("state", 0, ["state", "show", "prod/shop/unit"]);
    await json("state-versions", 0, ["state", "versions", "prod/shop/unit"]);
    await json("unlock", 0, ["unlock", "--engine", "prod/shop/unit"]);
    const token = idSchema.parse(await json("token-created", 0, ["token", "create", "--role", "viewer"]));
    await json("tokens", 0, ["token", "list"]);
    await json("token-revoked", 0, ["token", "revoke", token.id]);
    await json("audit-query", 0, ["audit", "query", "--limit", "1000"]);
    await json("audit-prove", 0, ["audit", "prove", "0"]);
    await json("audit-export", 0, ["audit", "export"]);
    await json("audit-verify", 0, ["audit", "verify"]);
    assert.equal(JSON.parse((await xcf(0, ["state", "pull", "prod/shop/unit"])).out).version, 4);
  });

  const refusals: readonly (readonly [words: string[], code: number, says: RegExp])[] = [
    [["plam"], 5, /there is no verb "plam" — did you mean "plan"\?/],
    [["state", "lst"], 5, /did you mean "list"\?/],
    [["plan", "--evn", "prod"], 5, /unknown option '--evn' — did you mean/],
    [["plan", "--env", "prd"], 5, /prd/],
    [["plan", "--head", "nowhere"], 5, /"nowhere" names no commit/],
    [["plan", "--all-envs", "--env", "prod"], 5, /cannot be used with/],
    [["runs", "--limit", "many"], 5, /whole number/],
    [["audit", "query", "--since", "yesterday"], 5, /2026-11-24T09:00:00Z/],
    [["audit", "verify", "--log", "nowhere", "--checkpoint", "nowhere"], 5, /there is no such file/],
    [["explain", "compositions/shpo"], 5, /did you mean/],
    [["state", "show", "prod/shpo/unit"], 5, /did you mean "prod\/shop\/unit"/],
    [["show", "cs_01m85egghb0ffx9nys9fvka4g9"], 5, /cs_01m85egghb0ffx9nys9fvka4g9/],
    [["watch", "run_01m85egghb0ffx9nys9fvka4g9"], 5, /run_01m85egghb0ffx9nys9fvka4g9/],
    [["state", "versions", "prod/shpo/unit"], 5, /did you mean "prod\/shop\/unit"/],
    [["runs", "--server", "http://127.0.0.1:1"], 1, /XCF_TOKEN/],
    [["runs", "--server", "control-plane"], 5, /no address of a server — give --server or XCF_SERVER as https:/],
  ];
  for (const [words, code, says] of refusals) {
    test(`\`xcf ${words.join(" ")}\` is refused in one sentence, as JSON where that is asked for`, async () => {
      const { err, out } = await xcf(code, words);
      assert.equal(out, "");
      assert.match(err, says);
      assert.equal(err.trimEnd().split("\n").length, 1, err);
      const told = await repository.xcf([...words, "-o", "json"]);
      const { error } = z.object({ error: z.looseObject({ exitCode: z.number() }) }).parse(read("error", told.err));
      assert.equal(error.exitCode, code);
      assert.equal(told.code, code);
    });
  }

  test("a file that a policy denies ends with 4", async () => {
    const file = join(repository.folder, "plan.json");
    const change = { change: { after: { input: { size: "gigantic" } } } };
    writeFileSync(file, JSON.stringify({ xcf: { unit: "u" }, resource_changes: [change] }));
    try {
      assert.match((await xcf(4, ["policy", "eval", "plan.json"])).out, /u is too large/);
    } finally {
      rmSync(file);
    }
  });

  test("an export verifies with this account's key, and one that another signed does not", async () => {
    await xcf(0, ["audit", "export"]);
    const words = ["audit", "verify", "--log", "audit.jsonl", "--checkpoint", "audit.checkpoint"];
    assert.match((await xcf(0, words)).out, /Verified with this account's key/);
    const elsewhere = { environment: { XDG_CONFIG_HOME: join(repository.folder, "..", "elsewhere") } };
    assert.match((await repository.xcf(words, elsewhere)).out, /proves only that the two files belong together/);
    const other = { environment: { XDG_CONFIG_HOME: join(repository.folder, "..", "other") } };
    execFileSync("mkdir", ["-p", `${other.environment.XDG_CONFIG_HOME}/xcloudflow`]);
    execFileSync("openssl", [
      "genpkey",
      "-algorithm",
      "ed25519",
      "-out",
      `${other.environment.XDG_CONFIG_HOME}/xcloudflow/audit.pem`,
    ]);
    const refused = await repository.xcf(words, other);
    assert.equal(refused.code, 1);
    assert.match(refused.out, /a log made elsewhere needs its --key/);
    const [, key = ""] =
      /^verifier-key (.*)$/m.exec(readFileSync(join(repository.folder, "audit.checkpoint"), "utf8")) ?? [];
    assert.match((await xcf(0, [...words, "--key", key])).out, /Verified with the key you gave/);
  });

  test("Ctrl-C leaves an apply running and says how to come back to it", async () => {
    const go = join(repository.folder, "..", "go");
    const slow = `${SMALL_MONOREPO["modules/shop/main.tf"]}
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "until [ -e ${go} ]; do sleep 0.05; done"
  }
}
`;
    await repository.commit({ "modules/shop/main.tf": slow });
    const { id } = idSchema.parse(await json("plan", 2, ["plan"]));
    const left = await repository.start(["apply", id]);
    let said = "";
    left.stderr?.setEncoding("utf8");
    const applying = Promise.withResolvers<void>();
    left.stderr?.on("data", (text: string) => {
      said += text;
      if (/prod\/shop\/unit {2}apply/.test(said)) applying.resolve();
    });
    await Promise.race([applying.promise, once(left, "exit")]);
    left.kill("SIGINT");
    const [code] = await once(left, "close");
    assert.equal(code, 1, said);
    const [, run = ""] =
      /^xcf: (run_\w+): the run goes on without you — `xcf watch run_\w+` follows it/m.exec(said) ?? [];
    assert.notEqual(run, "", said);
    assert.match((await xcf(0, ["runs", "--active"])).out, new RegExp(run));
    writeFileSync(go, "");
    await xcf(0, ["watch", run]);
  });

  test("who nobody names is whom Git names, and without either nothing is done", async () => {
    const unnamed = { environment: { XCF_USER: "" } };
    await repository.xcf(["plan"], unnamed);
    assert.match((await xcf(0, ["runs", "--limit", "1"])).out, / author@example\.com$/m);
    const nobody = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "user.email", GIT_CONFIG_VALUE_0: "" };
    const { code, err } = await repository.xcf(["runs"], { environment: { XCF_USER: "", ...nobody } });
    assert.equal(code, 5);
    assert.match(err, /nobody has said who you are — set XCF_USER/);
  });

  test("without git it says so", async () => {
    const { code, err } = await repository.xcf(["validate"], { environment: { PATH: "/nowhere" } });
    assert.equal(code, 1);
    assert.match(err, /^xcf: git is not on PATH — install it/);
  });

  test("outside a repository it says how to make one", async () => {
    const { code, err } = await repository.xcf(["plan"], { environment: { GIT_DIR: "/nowhere" } });
    assert.equal(code, 5, err);
    assert.match(err, /not inside a Git repository — `xcf init` makes one$/m);
  });
});
