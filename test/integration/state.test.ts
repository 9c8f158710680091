import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { createAgeKeyEncryption } from "@xcloudflow/chassis/keyring-age";
import { findUnprotectedRelations } from "@xcloudflow/database/row-security";
import { appliedPointerSchema } from "@xcloudflow/model/applied-pointer";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { redactionHmac } from "@xcloudflow/model/redaction-hmac";
import { unitOutputSchema } from "@xcloudflow/model/unit-plan";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";
import { sql } from "kysely";
import { z } from "zod";
import { appliedPointer } from "../support/applied-pointer.ts";
import { forEachDatabase } from "../support/databases.ts";
import { dumpDatabase } from "../support/dump-database.ts";
import {
  asOperator,
  asRunner,
  asService,
  createStateFixture,
  lockInfo,
  type StateFixture,
  stateText,
} from "../support/state-fixture.ts";

const CANARY = "canary-7fQz-state";
const asOther = as(serviceCaller("other", "orchestrator"));

forEachDatabase("the state service", [stateSchema], ({ database }) => {
  let state: StateFixture;
  let unit: string;
  let count = 0;

  before(async () => {
    state = await createStateFixture(database());
  });
  after(() => state.close());
  beforeEach(() => {
    unit = `prod/shop/unit-${count++}`;
  });

  const refused = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code;

  async function collect(stream: AsyncIterable<{ readonly data: Uint8Array }>): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const { data } of stream) parts.push(data);
    return Buffer.concat(parts);
  }

  async function upload(
    bytes: Uint8Array,
    header: { kind?: string; unit?: string; id?: string } = {},
    piece = 300_000,
  ) {
    async function* parts() {
      yield { part: { case: "header" as const, value: { kind: "plan", unit: "", id: "", ...header } } };
      for (let at = 0; at < bytes.length; at += piece)
        yield { part: { case: "data" as const, value: bytes.subarray(at, at + piece) } };
    }
    return await state.rpc.putArtefact(parts(), asRunner);
  }

  /** Statements as the database's owner: what somebody could do behind the service's back. */
  async function tamper(statement: string): Promise<void> {
    await database().asOwner("test.tamper", async (tx) => {
      await sql`select set_config('role', 'xcf_state_system', true), set_config('xcf.tenant', '*', true)`.execute(tx);
      await sql.raw(statement).execute(tx);
    });
  }

  test("an artefact comes back as it was, under the hash of its bytes, and is kept once", async () => {
    for (const size of [0, 1, 1_048_576, 1_048_577, 7_000_000]) {
      const bytes = randomBytes(size);
      const { id } = await upload(bytes, { unit });
      assert.equal(id, `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
      assert.equal((await upload(bytes, { unit, id })).id, id);
      assert.ok((await collect(state.rpc.getArtefact({ id }, asRunner))).equals(bytes), `${size} bytes`);
    }
    const { rows } = await database().asOwner("test.count", async (tx) => {
      await sql`select set_config('role', 'xcf_state_system', true), set_config('xcf.tenant', '*', true)`.execute(tx);
      return await sql<{
        blobs: bigint;
        staged: bigint;
      }>`select count(*) as blobs, count(*) filter (where header is null) as staged from state.blobs`.execute(tx);
    });
    assert.deepEqual(rows[0], { blobs: 5n, staged: 0n }, "a repeated upload leaves nothing behind");
  });

  test("an artefact that is not what its id says is refused, and an absent one is not found", async () => {
    await assert.rejects(upload(randomBytes(9), { id: `sha256:${"0".repeat(64)}` }), refused("UPLOAD_CHECKSUM_WRONG"));
    await assert.rejects(
      collect(state.rpc.getArtefact({ id: "sha256:absent" }, asRunner)),
      refused("ARTEFACT_NOT_FOUND"),
    );
    const { id } = await upload(Buffer.from("here"));
    assert.deepEqual((await state.rpc.hasArtefacts({ ids: ["sha256:absent", id] }, asRunner)).present, [id]);
  });

  test("many uploads of the same bytes at once keep them once", async () => {
    const bytes = randomBytes(6_000_000);
    const results = await Promise.all(Array.from({ length: 5 }, () => upload(bytes)));
    assert.equal(new Set(results.map(({ id }) => id)).size, 1);
    assert.ok((await collect(state.rpc.getArtefact({ id: results[0]?.id ?? "" }, asRunner))).equals(bytes));
  });

  test("an upload without a header, or with two, is refused", async () => {
    const header = { part: { case: "header" as const, value: { kind: "plan" } } };
    const data = { part: { case: "data" as const, value: new Uint8Array(3) } };
    for (const messages of [[data], [], [header, data, header]]) {
      const stream = (async function* () {
        yield* messages;
      })();
      await assert.rejects(state.rpc.putArtefact(stream, asRunner), refused("UPLOAD_ORDER_WRONG"));
    }
  });

  test("a ChangeSet never changes", async () => {
    const changeSet = {
      id: `cs_${count}`,
      digest: "xcf1:sha256:a",
      environment: "prod",
      document: Buffer.from('{"a": 1.10}'),
    };
    await state.rpc.putChangeSet(changeSet, asService);
    await state.rpc.putChangeSet(changeSet, asService);
    await assert.rejects(
      state.rpc.putChangeSet({ ...changeSet, digest: "xcf1:sha256:b" }, asService),
      refused("CHANGE_SET_TAKEN"),
    );
    const kept = await state.rpc.getChangeSet({ id: changeSet.id }, asService);
    assert.deepEqual([Buffer.from(kept.document).toString(), kept.digest], ['{"a": 1.10}', "xcf1:sha256:a"]);
    await assert.rejects(state.rpc.getChangeSet({ id: "cs_absent" }, asService), refused("CHANGESET_NOT_FOUND"));
  });

  test("a fence is raised and never lowered, and its holder alone moves the applied pointer", async () => {
    assert.equal((await state.rpc.raiseFence({ unit, fence: 5n }, asService)).fence, 5n);
    assert.equal((await state.rpc.raiseFence({ unit, fence: 3n }, asService)).fence, 5n);
    const put = (fence: bigint, changeSet: string) =>
      state.rpc.putApplied(
        { unit, fence, pointerDocument: encodeDocument(appliedPointer(unit, { changeSet })) },
        asService,
      );
    await put(5n, "cs_5");
    await assert.rejects(put(4n, "cs_4"), refused("FENCE_PASSED"));
    await assert.rejects(state.rpc.deleteApplied({ unit, fence: 4n }, asService), refused("FENCE_PASSED"));
    await put(6n, "cs_6");
    await assert.rejects(put(5n, "cs_5"), refused("FENCE_PASSED"), "a higher fence that was used is in force");
    const listed = await state.rpc.listApplied({ units: [unit] }, asService);
    assert.deepEqual(
      listed.pointerDocuments.map((document) => decodeDocument(appliedPointerSchema, document, "test").changeSet),
      ["cs_6"],
    );
    await state.rpc.deleteApplied({ unit, fence: 6n }, asService);
    assert.deepEqual((await state.rpc.listApplied({ units: [unit] }, asService)).pointerDocuments, []);
  });

  test("of many fenced writes at once none is overtaken by a lower fence", async () => {
    const fences = Array.from({ length: 20 }, (_, index) => BigInt(index + 1)).sort(() => Math.random() - 0.5);
    await Promise.allSettled(
      fences.map((fence) =>
        state.rpc.putApplied(
          { unit, fence, pointerDocument: encodeDocument(appliedPointer(unit, { changeSet: `cs_${fence}` })) },
          asService,
        ),
      ),
    );
    const { pointerDocuments } = await state.rpc.listApplied({ units: [unit] }, asService);
    assert.equal(
      decodeDocument(appliedPointerSchema, pointerDocuments[0] ?? new Uint8Array(), "test").changeSet,
      "cs_20",
    );
  });

  test("a pointer of another unit, another tenant, or no pointer at all is refused", async () => {
    for (const document of [
      appliedPointer("prod/shop/else"),
      appliedPointer(unit, { tenant: "other" }),
      { address: unit },
    ]) {
      await assert.rejects(
        state.rpc.putApplied({ unit, fence: 1n, pointerDocument: encodeDocument(document) }, asService),
        refused("DOCUMENT_INVALID"),
      );
    }
  });

  const outputs = [
    { name: "endpoint", sensitive: false, value: Buffer.from('"db.example.com"'), type: Buffer.from('"string"') },
    { name: "password", sensitive: true, value: Buffer.from(`"${CANARY}-output"`), type: new Uint8Array() },
  ];
  const outputsSchema = z.record(z.string(), unitOutputSchema);

  test("an apply's outputs are kept: plain ones shown, sensitive ones by their HMAC and only for whom the token says", async () => {
    const attemptToken = await state.attemptToken({ unit });
    const { outputsDocument } = await state.rpc.putOutputs({ attemptToken, outputs }, asRunner);
    const { key } = await state.rpc.redactionKey({ attemptToken }, asRunner);
    const hmac = redactionHmac(key, `${CANARY}-output`);
    assert.deepEqual(decodeDocument(outputsSchema, outputsDocument, "test"), {
      endpoint: { unknown: false, sensitive: false, value: "db.example.com", type: "string" },
      password: { unknown: false, sensitive: true, hmac },
    });
    const reference = { unit, output: "password" };
    const reader = await state.attemptToken({ unit: "prod/shop/reader", purpose: "plan", outputs: [reference] });
    const { values } = await state.rpc.resolveOutputs({ attemptToken: reader, references: [reference] }, asRunner);
    assert.deepEqual(
      values.map((value) => Buffer.from(value).toString()),
      [`"${CANARY}-output"`],
    );
    await assert.rejects(
      state.rpc.resolveOutputs({ attemptToken: reader, references: [{ unit, output: "endpoint" }] }, asRunner),
      refused("ATTEMPT_NOT_ENTITLED"),
    );
    await state.rpc.raiseFence({ unit: "prod/shop/reader", fence: 2n }, asService);
    await assert.rejects(
      state.rpc.resolveOutputs({ attemptToken: reader, references: [reference] }, asRunner),
      refused("FENCE_PASSED"),
    );
  });

  test("outputs of a plan are redacted and not kept, those of a late attempt not even accepted", async () => {
    await state.rpc.putOutputs({ attemptToken: await state.attemptToken({ unit, fence: 2 }), outputs }, asRunner);
    const poison = [{ name: "password", sensitive: true, value: Buffer.from('"poison"'), type: new Uint8Array() }];
    const plan = await state.attemptToken({ unit, fence: 9, purpose: "plan" });
    const { outputsDocument } = await state.rpc.putOutputs({ attemptToken: plan, outputs: poison }, asRunner);
    assert.deepEqual(Object.keys(decodeDocument(outputsSchema, outputsDocument, "test")), ["password"]);
    await assert.rejects(
      state.rpc.putOutputs({ attemptToken: await state.attemptToken({ unit, fence: 1 }), outputs: poison }, asRunner),
      refused("FENCE_PASSED"),
    );
    const reference = { unit, output: "password" };
    const reader = await state.attemptToken({ unit: `${unit}-reader`, outputs: [reference] });
    const { values } = await state.rpc.resolveOutputs({ attemptToken: reader, references: [reference] }, asRunner);
    assert.deepEqual(
      values.map((value) => Buffer.from(value).toString()),
      [`"${CANARY}-output"`],
    );
  });

  test("another tenant's worker, a forged and an expired token get nothing", async () => {
    const other = as({ tenant: "other", subject: "runner:x", groups: [], roles: ["runner"], assurance: "service" });
    await assert.rejects(
      state.rpc.redactionKey({ attemptToken: await state.attemptToken() }, other),
      refused("ATTEMPT_NOT_ENTITLED"),
    );
    await assert.rejects(
      state.rpc.redactionKey({ attemptToken: await state.attemptToken({}, -5_000) }, asRunner),
      refused("ATTEMPT_TOKEN_INVALID"),
    );
    await assert.rejects(
      state.rpc.redactionKey({ attemptToken: "forged" }, asRunner),
      refused("ATTEMPT_TOKEN_INVALID"),
    );
  });

  test("states are listed with lock, fence and what is quarantined; a pull gives the bytes and is an event", async () => {
    await state.fetch("POST", { unit, body: stateText(1) });
    await state.fetch("POST", { unit, body: stateText(2) });
    await state.rpc.raiseFence({ unit, fence: 7n }, asService);
    await state.fetch("POST", { unit, body: stateText(3), password: await state.attemptToken({ unit, fence: 6 }) });
    await state.fetch("LOCK", { unit, body: lockInfo("l1") });
    const { states } = await state.rpc.listStates({ environment: "prod" }, asService);
    const listed = states.find((entry) => entry.unit === unit);
    assert.deepEqual(
      [listed?.serial, listed?.version, listed?.fence, listed?.quarantined, listed?.lineage],
      [2n, 2n, 7n, 1, "lineage-1"],
    );
    assert.equal(JSON.parse(listed?.lockInfo ?? "").ID, "l1");
    assert.deepEqual((await state.rpc.listStates({ environment: "staging" }, asService)).states, []);
    assert.equal((await collect(state.rpc.pullState({ unit }, asOperator))).toString(), stateText(2));
    assert.equal((await collect(state.rpc.pullState({ unit, version: 3n }, asOperator))).toString(), stateText(3));
    await assert.rejects(collect(state.rpc.pullState({ unit, version: 9n }, asOperator)), refused("VERSION_NOT_FOUND"));
    await assert.rejects(
      collect(state.rpc.pullState({ unit: `${unit}-absent` }, asOperator)),
      refused("STATE_NOT_FOUND"),
    );
    const pulls = (await state.events()).filter(
      ({ type, subject }) => type === "engine-state.pulled" && subject === unit,
    );
    assert.deepEqual(
      pulls.map(({ actor, data }) => [actor, data["version"]]),
      [
        ["user:ada@example.com", 2],
        ["user:ada@example.com", 3],
      ],
    );
  });

  test("ForceUnlock breaks the lock it is told, and answers whose it was", async () => {
    await state.fetch("LOCK", { unit, body: lockInfo("held", "ada@laptop") });
    await assert.rejects(state.rpc.forceUnlock({ unit, lockId: "another" }, asOperator), refused("STATE_LOCK_HELD"));
    assert.equal(JSON.parse((await state.rpc.forceUnlock({ unit }, asOperator)).brokenLockInfo).Who, "ada@laptop");
    assert.equal((await state.rpc.forceUnlock({ unit }, asOperator)).brokenLockInfo, "");
  });

  async function recover(claims: { fence: number; purpose?: "plan" | "apply" }, deadFence: bigint, text: string) {
    const attemptToken = await state.attemptToken({ unit, ...claims });
    async function* parts() {
      yield { part: { case: "header" as const, value: { attemptToken, unit, deadFence } } };
      yield { part: { case: "data" as const, value: Buffer.from(text) } };
    }
    return await state.rpc.recoverState(parts(), asRunner);
  }

  test("a dead attempt's state continues the history, or is kept aside", async () => {
    await state.fetch("POST", { unit, body: stateText(1), password: await state.attemptToken({ unit, fence: 1 }) });
    await state.rpc.raiseFence({ unit, fence: 2n }, asService);
    assert.deepEqual((await recover({ fence: 2 }, 1n, stateText(2))).current, true);
    assert.deepEqual(
      (await recover({ fence: 2 }, 1n, stateText(2))).current,
      true,
      "a repeated recovery changes nothing",
    );
    assert.deepEqual((await recover({ fence: 2 }, 1n, stateText(3, "lineage-2"))).current, false);
    assert.deepEqual((await recover({ fence: 1 }, 1n, stateText(4))).current, false);
    await assert.rejects(recover({ fence: 2, purpose: "plan" }, 1n, stateText(5)), refused("ATTEMPT_NOT_ENTITLED"));
    const { versions } = await state.rpc.listStateVersions({ unit }, asService);
    assert.deepEqual(
      versions.map(({ serial, status }) => `${serial} ${status}`),
      ["4 quarantined", "3 quarantined", "2 current", "1 past"],
    );
  });

  test("a renamed unit keeps its state with all versions, pointer, outputs, drift and fence", async () => {
    const to = `${unit}-renamed`;
    await state.fetch("POST", { unit, body: stateText(1) });
    await state.fetch("POST", { unit, body: stateText(2) });
    await state.rpc.putOutputs({ attemptToken: await state.attemptToken({ unit, fence: 3 }), outputs }, asRunner);
    await state.rpc.putApplied({ unit, fence: 3n, pointerDocument: encodeDocument(appliedPointer(unit)) }, asService);
    await state.rpc.putDrift({ unit, run: "run_d", changesDocument: encodeDocument(changes) }, asService);
    await state.instance.keyring.rotate("acme");
    await state.rpc.moveState({ fromUnit: unit, toUnit: to }, asService);
    await state.rpc.moveState({ fromUnit: unit, toUnit: to }, asService);

    assert.equal((await state.fetch("GET", { unit })).status, 204);
    assert.equal(await (await state.fetch("GET", { unit: to })).text(), stateText(2));
    assert.equal((await collect(state.rpc.pullState({ unit: to, version: 1n }, asService))).toString(), stateText(1));
    const { pointerDocuments } = await state.rpc.listApplied({ units: [unit, to] }, asService);
    assert.deepEqual(
      pointerDocuments.map((document) => decodeDocument(appliedPointerSchema, document, "test")),
      [appliedPointer(to)],
    );
    const reference = { unit: to, output: "password" };
    const reader = await state.attemptToken({ unit: `${unit}-reader`, outputs: [reference] });
    assert.equal(
      (await state.rpc.resolveOutputs({ attemptToken: reader, references: [reference] }, asRunner)).values.length,
      1,
    );
    const { records } = await state.rpc.listDrift({ environment: "prod" }, asService);
    assert.ok(records.some((record) => record.unit === to) && !records.some((record) => record.unit === unit));
    await assert.rejects(
      state.rpc.putApplied({ unit: to, fence: 2n, pointerDocument: encodeDocument(appliedPointer(to)) }, asService),
      refused("FENCE_PASSED"),
    );
    await state.fetch("POST", { unit: to, body: stateText(3) });
    assert.equal((await state.rpc.listStateVersions({ unit: to }, asService)).versions[0]?.version, 3n);
  });

  test("a unit is not renamed over another one, nor while its state is locked", async () => {
    const to = `${unit}-taken`;
    await state.fetch("POST", { unit, body: stateText(1) });
    await state.fetch("POST", { unit: to, body: stateText(1) });
    await assert.rejects(state.rpc.moveState({ fromUnit: unit, toUnit: to }, asService), refused("STATE_MOVE_REFUSED"));
    await state.fetch("LOCK", { unit, body: lockInfo("l") });
    await assert.rejects(
      state.rpc.moveState({ fromUnit: unit, toUnit: `${unit}-free` }, asService),
      refused("STATE_MOVE_REFUSED"),
    );
  });

  const changes = [
    {
      address: "terraform_data.a",
      type: "terraform_data",
      actions: ["update"],
      before: { size: 1 },
      after: { size: 2 },
      unknown: {},
      sensitive: {},
      replacePaths: [],
    },
  ];

  test("drift is recorded, renewed, and closed by an empty finding", async () => {
    const put = (run: string, found: readonly unknown[]) =>
      state.rpc.putDrift({ unit, run, changesDocument: encodeDocument(found) }, asService);
    await put("run_1", changes);
    await put("run_2", changes);
    const record = (await state.rpc.listDrift({ environment: "prod" }, asService)).records.find(
      (entry) => entry.unit === unit,
    );
    assert.equal(record?.run, "run_2");
    assert.deepEqual(JSON.parse(Buffer.from(record?.changesDocument ?? []).toString()), changes);
    await put("run_3", []);
    await put("run_4", []);
    assert.ok(
      !(await state.rpc.listDrift({ environment: "prod" }, asService)).records.some((entry) => entry.unit === unit),
    );
    const types = (await state.events()).filter(({ subject }) => subject === unit).map(({ type }) => type);
    assert.deepEqual(types, ["drift.recorded", "drift.recorded", "drift.closed"]);
  });

  test("another tenant sees none of it", async () => {
    await state.fetch("POST", { unit, body: stateText(1) });
    const { id } = await upload(Buffer.from("mine"));
    assert.deepEqual((await state.rpc.listStates({}, asOther)).states, []);
    assert.deepEqual((await state.rpc.hasArtefacts({ ids: [id] }, asOther)).present, []);
    assert.deepEqual((await state.rpc.listApplied({}, asOther)).pointerDocuments, []);
    await assert.rejects(collect(state.rpc.pullState({ unit }, asOther)), refused("STATE_NOT_FOUND"));
    assert.deepEqual(await findUnprotectedRelations(database(), ["state"]), []);
  });

  test("a role that a method does not name is refused", async () => {
    await assert.rejects(state.rpc.putApplied({ unit }, asRunner), refused("PERMISSION_MISSING"));
    await assert.rejects(state.rpc.putOutputs({}, asService), refused("PERMISSION_MISSING"));
    const viewer = as({ tenant: "acme", subject: "vic", groups: [], roles: ["viewer"], assurance: "token" });
    await assert.rejects(collect(state.rpc.pullState({ unit }, viewer)), refused("PERMISSION_MISSING"));
  });

  test("a state put in another unit's or version's place does not open", async () => {
    const victim = `${unit}-victim`;
    await state.fetch("POST", { unit, body: stateText(1, "mine") });
    await state.fetch("POST", { unit: victim, body: stateText(1, "theirs") });
    await tamper(
      `update state.engine_state_versions v set blob = (select blob from state.engine_state_versions o where o.unit = '${unit}') where v.unit = '${victim}'`,
    );
    const answer = await state.fetch("GET", { unit: victim });
    assert.equal(answer.status, 500);
    assert.equal(JSON.parse(await answer.text()).code, "ENVELOPE_TAMPERED");
    await assert.rejects(collect(state.rpc.pullState({ unit: victim }, asService)), refused("ENVELOPE_TAMPERED"));

    await state.fetch("POST", { unit, body: stateText(2, "mine") });
    await tamper(
      `update state.engine_state_versions v set blob = (select blob from state.engine_state_versions o where o.unit = '${unit}' and o.version = 1) where v.unit = '${unit}' and v.version = 2`,
    );
    await assert.rejects(
      collect(state.rpc.pullState({ unit }, asService)),
      refused("ENVELOPE_TAMPERED"),
      "an older version in the place of a newer",
    );
    assert.equal(
      (await collect(state.rpc.pullState({ unit, version: 1n }, asService))).toString(),
      stateText(1, "mine"),
      "in its own place it opens",
    );
  });

  test("a changed byte and a missing piece are noticed", async () => {
    const { id } = await upload(randomBytes(3_000_000));
    await tamper(
      `delete from state.blob_chunks where position = 2 and blob = (select blob from state.artefacts where id = '${id}')`,
    );
    await assert.rejects(collect(state.rpc.getArtefact({ id }, asRunner)), refused("ENVELOPE_TAMPERED"));
    const { id: other } = await upload(randomBytes(1000));
    await tamper(
      `update state.blob_chunks set data = set_byte(data, 500, (get_byte(data, 500) + 1) % 256) where blob = (select blob from state.artefacts where id = '${other}')`,
    );
    await assert.rejects(collect(state.rpc.getArtefact({ id: other }, asRunner)), refused("ENVELOPE_TAMPERED"));
  });

  test("what an old data key sealed is read after a rotation, and what is new uses the new key", async () => {
    await state.fetch("POST", { unit, body: stateText(1) });
    const fresh = await state.instance.keyring.rotate("acme");
    await state.fetch("POST", { unit, body: stateText(2) });
    assert.equal((await collect(state.rpc.pullState({ unit, version: 1n }, asService))).toString(), stateText(1));
    assert.equal((await collect(state.rpc.pullState({ unit }, asService))).toString(), stateText(2));
    assert.ok((await dumpDatabase(database(), ["state"])).includes(fresh.id));
  });

  test("no secret of a state, plan, output, ChangeSet or drift is readable in the database, the events or the log", async () => {
    await state.fetch("POST", { unit, body: stateText(1, "lineage-1", { password: CANARY }) });
    await upload(Buffer.from(`plan with ${CANARY}`), { unit });
    await state.rpc.putOutputs({ attemptToken: await state.attemptToken({ unit }), outputs }, asRunner);
    await state.rpc.putChangeSet(
      { id: `cs_${count}`, digest: "d", environment: "prod", document: Buffer.from(CANARY) },
      asService,
    );
    await state.rpc.putDrift(
      { unit, run: "run_1", changesDocument: encodeDocument([{ ...changes[0], after: { password: CANARY } }]) },
      asService,
    );
    await state.rpc.putApplied(
      {
        unit,
        fence: 1n,
        pointerDocument: encodeDocument(appliedPointer(unit)),
      },
      asService,
    );
    const dump = await dumpDatabase(database(), ["state"]);
    assert.ok(
      dump.includes(unit) && dump.includes("engine-state.written-by-hand"),
      "the scan sees what is there in the clear",
    );
    for (const form of formsOf(CANARY)) {
      assert.ok(!dump.includes(form), form);
      assert.ok(!state.log.join("\n").includes(form), form);
    }
    await tamper(
      `update state.blobs set header = convert_to('${CANARY}', 'UTF8') where id = (select blob from state.engine_state_versions where unit = '${unit}')`,
    );
    const planted = await dumpDatabase(database(), ["state"]);
    assert.ok(
      formsOf(CANARY).some((form) => planted.includes(form)),
      "the scan finds a canary that is planted",
    );
  });
});

function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  return [text, bytes.toString("hex"), bytes.toString("base64").slice(0, -4), bytes.toString("base64url").slice(0, -4)];
}

forEachDatabase("the state service with another key file", [stateSchema], ({ database }) => {
  test("says that the key is the wrong one, and keeps everything for the right one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "xcf-keys-"));
    const right = await createAgeKeyEncryption(join(folder, "right.age"));
    const wrong = await createAgeKeyEncryption(join(folder, "wrong.age"));
    const first = await createStateFixture(database(), { keyEncryption: right });
    await first.fetch("POST", { body: stateText(1) });
    await first.close();
    const second = await createStateFixture(database(), { keyEncryption: wrong });
    const answer = await second.fetch("GET");
    assert.equal(answer.status, 500);
    assert.equal(JSON.parse(await answer.text()).code, "DATA_KEY_UNWRAP_FAILED");
    assert.equal((await second.fetch("POST", { body: stateText(2) })).status, 500);
    await second.close();
    const third = await createStateFixture(database(), { keyEncryption: right });
    assert.equal(await (await third.fetch("GET")).text(), stateText(1));
    await third.close();
    await rm(folder, { recursive: true });
  });
});
