import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import type { Client } from "@connectrpc/connect";
import { type AttemptClaims, signAttemptToken } from "@xcloudflow/chassis/attempt-token";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { CodedError } from "@xcloudflow/model/coded-error";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { secretsSchema } from "@xcloudflow/secrets/migrations/migrations";
import { createSecretsService } from "@xcloudflow/secrets/secrets-service";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { execa } from "execa";
import { sql } from "kysely";
import { forEachDatabase } from "../support/databases.ts";
import { dumpDatabase } from "../support/dump-database.ts";
import { requireEngine } from "../support/engines.ts";
import { asRunner, asService, attemptClaims } from "../support/state-fixture.ts";

const sops = requireEngine("sops");
const CANARY = "canary-Zq7x-password";
const needsSops = { skip: sops.skip };

/** A folder of files as a repository would have them, and an age key outside it. */
interface Repository {
  readonly root: string;
  readonly ageKeyFile: string;
  encrypt(path: string, text: string): Promise<void>;
}

async function createRepository(): Promise<Repository> {
  const root = await mkdtemp(join(tmpdir(), "xcf-secrets-"));
  const identity = await generateX25519Identity();
  const ageKeyFile = join(root, "keys.txt");
  await writeFile(ageKeyFile, `${identity}\n`, { mode: 0o600 });
  const recipient = await identityToRecipient(identity);
  return {
    root,
    ageKeyFile,
    async encrypt(path, text) {
      const file = join(root, "repo", path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
      await execa(sops.path, ["encrypt", "--age", recipient, "--in-place", file]);
    },
  };
}

forEachDatabase("secrets", [secretsSchema], ({ database }) => {
  let repository: Repository;
  let service: ReturnType<typeof createFixture>;
  let unit: string;
  let count = 0;

  before(async () => {
    repository = await createRepository();
    service = createFixture(database(), repository);
    if (sops.skip === false) {
      await repository.encrypt(
        "secrets/prod.yaml",
        `db_password: ${CANARY}\nnested:\n  port: 5432\n  hosts: [one, two]\n`,
      );
      await repository.encrypt("secrets/app.json", JSON.stringify({ token: `${CANARY}-json` }));
      await repository.encrypt("secrets/app.env", `TOKEN=${CANARY}-env\n`);
      await repository.encrypt("secrets/cert.pem", `-----BEGIN\n${CANARY}-pem\n-----END\n`);
    }
    await service.configure("repo", {
      files: { type: "sops", root: "secrets", ageKeyFile: repository.ageKeyFile },
      vars: { type: "env", prefix: "APP_" },
    });
  });
  after(() => rm(repository.root, { recursive: true }));
  beforeEach(() => {
    unit = `prod/shop/unit-${count++}`;
  });

  const resolve = async (references: string[], claims: Partial<AttemptClaims> = {}) =>
    await service.resolve(references, { unit, task: `task_${count++}`, secrets: references, ...claims });
  const refused = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code;

  test("an environment variable is resolved, one that is not allowed or not there is not", async () => {
    assert.deepEqual(await resolve(["secret://env/PUBLIC", "secret://vars/TOKEN", "secret://env/JSON#a.b"]), [
      "public",
      "app token",
      "deep",
    ]);
    for (const reference of [
      "secret://env/HIDDEN",
      "secret://env/ABSENT",
      "secret://vars/PUBLIC",
      "secret://env/A=B",
    ]) {
      await assert.rejects(resolve([reference]), refused("SECRET_NOT_FOUND"), reference);
    }
  });

  test("values of SOPS files of every format are resolved by the real sops", needsSops, async () => {
    const references = [
      "secret://files/prod.yaml#db_password",
      "secret://files/prod.yaml#nested.port",
      "secret://files/prod.yaml#nested.hosts.1",
      "secret://files/app.json#token",
      "secret://files/app.env#TOKEN",
      "secret://files/cert.pem",
    ];
    assert.deepEqual(await resolve(references), [
      CANARY,
      "5432",
      "two",
      `${CANARY}-json`,
      `${CANARY}-env`,
      `-----BEGIN\n${CANARY}-pem\n-----END\n`,
    ]);
  });

  test("a token is answered once, also when two calls come at the same time", async () => {
    const claims = { unit, task: "task_once", secrets: ["secret://env/PUBLIC"] };
    const answers = await Promise.allSettled(
      Array.from({ length: 8 }, () => service.resolve(["secret://env/PUBLIC"], claims)),
    );
    assert.equal(answers.filter(({ status }) => status === "fulfilled").length, 1);
    await assert.rejects(service.resolve(["secret://env/PUBLIC"], claims), refused("SECRETS_ALREADY_DELIVERED"));
    assert.deepEqual(await service.resolve(["secret://env/PUBLIC"], { ...claims, attempt: 2, fence: 2 }), ["public"]);
  });

  test("a request whose answer was lost is answered again to whoever knows its key, for the same references", async () => {
    const references = ["secret://env/PUBLIC", "secret://vars/TOKEN"];
    const claims = { unit, task: `task_${count++}`, secrets: references };
    const key = "7".repeat(64);
    const ask = (requestKey: string, wanted = references) => service.resolve(wanted, claims, undefined, requestKey);
    assert.deepEqual(await ask(key), ["public", "app token"]);
    const before = (await service.events()).filter(({ type }) => type.endsWith("secret.resolved")).length;
    assert.deepEqual(await ask(key), ["public", "app token"]);
    const after = (await service.events()).filter(({ type }) => type.endsWith("secret.resolved")).length;
    assert.equal(after, before, "what was noted is not noted twice");
    await assert.rejects(ask(key, ["secret://env/PUBLIC"]), refused("SECRETS_ALREADY_DELIVERED"));
    await assert.rejects(ask("8".repeat(64)), refused("SECRETS_ALREADY_DELIVERED"));
    await assert.rejects(ask(""), refused("SECRETS_ALREADY_DELIVERED"));
    await service.rpc.raiseFence({ unit, fence: 9n }, asService);
    await assert.rejects(ask(key), refused("FENCE_PASSED"));
  });

  test("a secret that could not be read does not use up the attempt", async () => {
    const references = ["secret://env/LATER"];
    await assert.rejects(
      service.resolve(references, { unit, task: "task_later", secrets: references }),
      refused("SECRET_NOT_FOUND"),
    );
    service.variables.set("LATER", "now");
    assert.deepEqual(await service.resolve(references, { unit, task: "task_later", secrets: references }), ["now"]);
  });

  test("only references that the token names are answered, to its own tenant, while it is valid and its fence stands", async () => {
    await assert.rejects(resolve(["secret://env/PUBLIC"], { secrets: [] }), refused("ATTEMPT_NOT_ENTITLED"));
    await assert.rejects(resolve(["secret://env/PUBLIC"], { tenant: "other" }), refused("ATTEMPT_NOT_ENTITLED"));
    await assert.rejects(
      service.resolve(["secret://env/PUBLIC"], { unit, secrets: ["secret://env/PUBLIC"] }, -1000),
      refused("ATTEMPT_TOKEN_INVALID"),
    );
    await assert.rejects(
      service.rpc.resolve({ attemptToken: "forged", references: [] }, asRunner),
      refused("ATTEMPT_TOKEN_INVALID"),
    );
    await service.rpc.raiseFence({ unit, fence: 3n }, asService);
    await assert.rejects(resolve(["secret://env/PUBLIC"], { fence: 2 }), refused("FENCE_PASSED"));
    assert.deepEqual(await resolve(["secret://env/PUBLIC"], { fence: 3 }), ["public"]);
    assert.equal((await service.rpc.raiseFence({ unit, fence: 1n }, asService)).fence, 3n, "a fence is never lowered");
  });

  test("only a runner resolves, only a service configures", async () => {
    await assert.rejects(
      service.rpc.resolve({ attemptToken: "x", references: [] }, asService),
      refused("PERMISSION_MISSING"),
    );
    await assert.rejects(service.rpc.configureBackends({ repository: "r" }, asRunner), refused("PERMISSION_MISSING"));
  });

  test("a reference that leaves the repository, names no backend, or one that is not supported is refused", async () => {
    await service.configure("other-repo", { vault: { type: "vault", address: "https://vault.example.com" } });
    for (const [reference, code] of [
      ["secret://files/../keys.txt", "SECRET_REFERENCE_INVALID"],
      ["secret://files//etc/passwd", "SECRET_REFERENCE_INVALID"],
      ["secret://files/a\\..\\b", "SECRET_NOT_FOUND"],
      ["secret://nowhere/x", "SECRET_BACKEND_UNKNOWN"],
      ["secret://vault/kv/x#y", "SECRET_BACKEND_UNSUPPORTED"],
      ["not a reference", "SECRET_REFERENCE_INVALID"],
    ] as const) {
      await assert.rejects(resolve([reference]), refused(code), reference);
    }
  });

  test(
    "a file that asks for other key services, or is not encrypted, is refused without calling anybody",
    needsSops,
    async () => {
      const file = (name: string) => join(repository.root, "repo", "secrets", name);
      await writeFile(file("plain.yaml"), "password: open\n");
      await writeFile(
        file("vault.yaml"),
        "a: ENC[x]\nsops:\n  hc_vault: [{vault_address: 'http://127.0.0.1:1', enc: x}]\n  mac: x\n",
      );
      await assert.rejects(resolve(["secret://files/plain.yaml#password"]), refused("SECRET_UNREADABLE"));
      await assert.rejects(resolve(["secret://files/vault.yaml#a"]), refused("SECRET_FILE_REFUSED"));
      await assert.rejects(resolve(["secret://files/absent.yaml#a"]), refused("SECRET_NOT_FOUND"));
      await assert.rejects(resolve(["secret://files/prod.yaml#absent"]), refused("SECRET_NOT_FOUND"));
    },
  );

  test("the wrong age key is named as the problem, without a value", needsSops, async () => {
    const stranger = join(repository.root, "stranger.txt");
    await writeFile(stranger, `${await generateX25519Identity()}\n`, { mode: 0o600 });
    await service.configure("strange-repo", { strange: { type: "sops", root: "secrets", ageKeyFile: stranger } });
    await assert.rejects(
      resolve(["secret://strange/prod.yaml#db_password"]),
      (error) => refused("SECRET_UNREADABLE")(error) && !String(error).includes(CANARY),
    );
  });

  test("Check says what is wrong with references without reading a value", needsSops, async () => {
    const references = [
      "secret://env/PUBLIC",
      "secret://env/ABSENT",
      "secret://files/prod.yaml#db_password",
      "secret://files/prod.yaml#absent",
      "secret://files/absent.yaml#a",
      "secret://nowhere/a",
      "secret://",
    ];
    const { findings } = await service.rpc.check({ references }, asService);
    assert.deepEqual(
      findings.map(({ reference }) => reference),
      [
        "secret://env/ABSENT",
        "secret://files/prod.yaml#absent",
        "secret://files/absent.yaml#a",
        "secret://nowhere/a",
        "secret://",
      ],
    );
    for (const { problem, hint } of findings) assert.ok(problem !== "" && hint !== "");
  });

  test("every access is an event that names the reference and the attempt; refusals too", async () => {
    await resolve(["secret://env/PUBLIC", "secret://vars/TOKEN"], { run: "run_7" });
    await assert.rejects(resolve(["secret://env/HIDDEN"]));
    const events = (await service.events()).filter(({ subject }) => subject === unit);
    assert.deepEqual(
      events.map(({ type, data }) => [type, data["reference"] ?? data["references"], data["code"]]),
      [
        ["secret.resolved", "secret://env/PUBLIC", undefined],
        ["secret.resolved", "secret://vars/TOKEN", undefined],
        ["secret.refused", ["secret://env/HIDDEN"], "SECRET_NOT_FOUND"],
      ],
    );
    assert.equal(events[0]?.data["run"], "run_7");
  });

  test("no secret is in the database, an event, the log, or left in a scratch folder", needsSops, async () => {
    await resolve(["secret://files/prod.yaml#db_password"]);
    const dump = await dumpDatabase(database(), ["secrets"]);
    assert.ok(dump.includes("secret://files/prod.yaml#db_password"), "the scan sees what is there");
    assert.ok(!dump.includes(CANARY));
    assert.ok(service.log.length > 0 && !service.log.join("\n").includes(CANARY));
    assert.deepEqual(await readdir(service.scratch), []);
  });
});

interface StoredEvent {
  readonly type: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

function createFixture(database: OwnedDatabase, repository: Repository) {
  const clock = createSystemClock();
  const log: string[] = [];
  const logger = createLogger({ level: "debug", now: () => clock.now(), write: (line) => log.push(line) });
  const keys = generateKeyPairSync("ed25519");
  const variables = new Map([
    ["PUBLIC", "public"],
    ["APP_TOKEN", "app token"],
    ["HIDDEN", "hidden"],
    ["JSON", '{"a":{"b":"deep"}}'],
  ]);
  const scratch = join(repository.root, "scratch");
  const ready = mkdir(scratch, { recursive: true });
  const { routes } = createSecretsService({
    database,
    clock,
    ids: createIds(clock, createSystemRandom()),
    logger,
    attemptKey: keys.publicKey,
    readVariable: (name) => (name === "HIDDEN" ? undefined : variables.get(name)),
    async readFile({ path }) {
      await ready;
      const { readFile } = await import("node:fs/promises");
      return await readFile(join(repository.root, "repo", path)).catch(() => undefined);
    },
    sops: { configured: sops.skip === false ? sops.path : undefined },
    sopsAgeKeyFile: undefined,
    folder: scratch,
  });
  const rpc: Client<typeof SecretsService> = createCodedClient(
    SecretsService,
    createMemoryTransport([routes], { logger, clock, newReference: () => "ref" }),
  );
  return {
    rpc,
    log,
    scratch,
    variables,
    async configure(name: string, backends: object) {
      await rpc.configureBackends({ repository: name, backendsDocument: encodeDocument({ backends }) }, asService);
    },
    async resolve(references: string[], claims: Partial<AttemptClaims>, expiresInMs = 60_000, requestKey = "") {
      const now = clock.now().getTime();
      const token = await signAttemptToken(
        keys.privateKey,
        attemptClaims(claims),
        new Date(now - 5_000),
        new Date(now + expiresInMs),
      );
      const { values } = await rpc.resolve({ attemptToken: token, references, requestKey }, asRunner);
      return values.map((value) => Buffer.from(value).toString("utf8"));
    },
    async events(): Promise<readonly StoredEvent[]> {
      return await database.asOwner("test.read-events", async (tx) => {
        await sql`select set_config('role', 'xcf_secrets_system', true), set_config('xcf.tenant', '*', true)`.execute(
          tx,
        );
        const { rows } = await sql<{ event: Uint8Array }>`select event from secrets.outbox order by position`.execute(
          tx,
        );
        return rows.map(({ event }) => {
          const { type, subject, data } = JSON.parse(Buffer.from(event).toString("utf8"));
          return { type: type.replace("io.xcloudflow.secrets.", ""), subject, data };
        });
      });
    },
  };
}
