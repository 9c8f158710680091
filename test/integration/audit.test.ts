import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type AuditServiceInstance, createAuditService } from "@xcloudflow/audit/audit-service";
import { createFileCheckpointWitness } from "@xcloudflow/audit/file-checkpoint-witness";
import { auditSchema } from "@xcloudflow/audit/migrations/migrations";
import { republishUnaudited } from "@xcloudflow/audit/outbox-history-store";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createClients, type ServiceClients } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { encodeEvent, eventSubject, type XcfEvent } from "@xcloudflow/chassis/event";
import { createIds } from "@xcloudflow/chassis/ids";
import { loadOrCreateKeyPair } from "@xcloudflow/chassis/keys";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { appendEvents, outboxTable } from "@xcloudflow/database/outbox";
import { createRelay } from "@xcloudflow/database/relay";
import { findUnprotectedRelations } from "@xcloudflow/database/row-security";
import { tenantScope } from "@xcloudflow/database/scope";
import { formatCheckpointFile, formatExportLine, parseCheckpointFile } from "@xcloudflow/model/audit-export";
import { verifyExport } from "@xcloudflow/model/audit-verification";
import { openCheckpoint, parseCheckpoint } from "@xcloudflow/model/checkpoint";
import { hashLeaf } from "@xcloudflow/model/merkle";
import { verifyConsistency, verifyInclusion } from "@xcloudflow/model/merkle-verification";
import { parseVerifier } from "@xcloudflow/model/signed-note";
import { sql } from "kysely";
import { forEachDatabase } from "../support/databases.ts";

const clock = createSystemClock();
const ids = createIds(clock, createSystemRandom());
/** A service that only writes events. */
const sourceSchema = { service: "source", migrations: [{ name: "0001-source", up: () => outboxTable("source") }] };
const COUNT = 23;

const viewerOf = (tenant: string): Caller => ({
  tenant,
  subject: "ada",
  groups: [],
  roles: ["viewer"],
  assurance: "token",
});

function event(tenant: string, number: number, more: Partial<XcfEvent> = {}): XcfEvent {
  return {
    id: ids.next("evt"),
    tenant,
    service: number % 2 === 0 ? "orchestrator" : "state",
    noun: "approval",
    verb: number % 3 === 0 ? "given" : "refused",
    subject: `prod/shop/unit-${number}`,
    time: new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString(),
    actor: number % 2 === 0 ? "user:ada@example.com" : "service:state",
    data: { number, run: `run_${number % 5}` },
    ...more,
  };
}

/** One audit service over the suite's database, with a bus and a configuration folder of its own. */
async function openAudit(database: OwnedDatabase, configFolder: string) {
  const log: string[] = [];
  const bus = createMemoryBus({ clock, onHandlerError: () => undefined });
  const logger = createLogger({ level: "info", now: () => clock.now(), write: (line) => void log.push(line) });
  const audit: AuditServiceInstance = await createAuditService({
    database,
    bus,
    clock,
    ids,
    logger,
    signingKey: await loadOrCreateKeyPair(configFolder, "audit"),
    checkpointFolder: join(configFolder, "checkpoints"),
  });
  const clients: ServiceClients = createClients(
    createMemoryTransport([audit.routes], { logger, clock, newReference: () => "ref" }),
  );
  const publish = async (events: readonly XcfEvent[]): Promise<void> => {
    for (const one of events) await bus.publish(eventSubject(one), encodeEvent(one));
  };
  const verify = (tenant: string) => clients.audit.verify({}, as(viewerOf(tenant)));
  /** Waits on the log itself: `subscribe` ends when it has seen so many entries. */
  const settled = async (tenant: string, size: number): Promise<void> => {
    if (size === 0) return;
    for await (const { entry } of clients.audit.subscribe({}, as(viewerOf(tenant)))) {
      if (entry?.index === BigInt(size - 1)) return;
    }
  };
  const exported = async (tenant: string) => {
    const lines: string[] = [];
    let checkpoint = "";
    for await (const { part } of clients.audit.export({}, as(viewerOf(tenant)))) {
      if (part.case === "entry") lines.push(formatExportLine(Number(part.value.index), part.value.leaf));
      if (part.case === "checkpoint") checkpoint = formatCheckpointFile(part.value.checkpoint, part.value.verifierKey);
    }
    return { lines, checkpoint };
  };
  const close = async (): Promise<void> => {
    await audit.close();
    await bus.close();
  };
  return { bus, audit: clients.audit, log, publish, verify, settled, exported, close };
}

type Audit = Awaited<ReturnType<typeof openAudit>>;

forEachDatabase("audit", [auditSchema, sourceSchema], (fixture) => {
  let folder: string;
  let audit: Audit;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "xcf-audit-"));
    audit = await openAudit(fixture.database(), folder);
  });
  after(async () => {
    await audit.close();
    await rm(folder, { recursive: true, force: true });
  });
  const filled = async (tenant: string, count = COUNT): Promise<XcfEvent[]> => {
    const events = Array.from({ length: count }, (_, number) => event(tenant, number));
    await audit.publish(events);
    await audit.settled(tenant, count);
    return events;
  };
  /** What a database owner can do: lift the row security he has put on, change what he likes, put it back. */
  const asOwner = async (...statements: readonly string[]): Promise<void> => {
    await fixture.database().asOwner("test.tamper", async (tx) => {
      const tables = ["audit.entries", "audit.nodes", "audit.logs", "audit.checkpoints"];
      for (const table of tables) await sql.raw(`alter table ${table} no force row level security`).execute(tx);
      for (const statement of statements) await sql.raw(statement).execute(tx);
      for (const table of tables) await sql.raw(`alter table ${table} force row level security`).execute(tx);
    });
  };

  it("leaves no table unprotected", async () => {
    assert.deepEqual(await findUnprotectedRelations(fixture.database(), ["audit"]), []);
  });

  it("keeps events in the order they came, byte for byte, once", async () => {
    const events = await filled("order");
    await audit.publish(events.map((one) => ({ ...one })));
    await audit.publish([event("order", 99)]);
    await audit.settled("order", COUNT + 1);
    const { lines } = await audit.exported("order");
    assert.equal(lines.length, COUNT + 1);
    for (const [index, one] of events.entries()) {
      assert.equal(lines[index], formatExportLine(index, encodeEvent(one).data));
    }
    assert.deepEqual((await audit.verify("order")).findings, []);
  });

  it("keeps events of a repeated delivery once even when the bus forgot them", async () => {
    const events = await filled("repeat", 5);
    const again = await openAudit(fixture.database(), folder);
    await again.publish(events);
    await again.publish([event("repeat", 6)]);
    await again.settled("repeat", 6);
    assert.equal((await again.exported("repeat")).lines.length, 6);
    await again.close();
  });

  it("gives a tenant its own log only", async () => {
    await filled("left", 3);
    await filled("right", 2);
    assert.equal((await audit.exported("left")).lines.length, 3);
    assert.equal((await audit.exported("right")).lines.length, 2);
    const { entries } = await audit.audit.query({}, as(viewerOf("right")));
    assert.ok(entries.every(({ leaf }) => new TextDecoder().decode(leaf).includes(`"xcftenant":"right"`)));
    const origins = await Promise.all(
      ["left", "right"].map(
        async (tenant) =>
          parseCheckpoint((await audit.audit.getCheckpoint({}, as(viewerOf(tenant)))).checkpoint).origin,
      ),
    );
    assert.notEqual(origins[0], origins[1]);
  });

  it("answers for a tenant without events", async () => {
    const { lines, checkpoint } = await audit.exported("empty");
    assert.deepEqual(lines, []);
    assert.equal((await verifyExport(lines, checkpoint)).intact, true);
    assert.equal((await audit.verify("empty")).intact, true);
  });

  it("finds by type, subject, run, actor and time, page by page", async () => {
    await filled("query");
    const call = as(viewerOf("query"));
    const numbers = async (
      request: Partial<Record<"type" | "subject" | "actor" | "since" | "until", string>>,
    ): Promise<number[]> => {
      const found: number[] = [];
      let token = "";
      do {
        const page = await audit.audit.query({ ...request, page: { size: 4, token } }, call);
        assert.ok(page.entries.length <= 4);
        for (const { leaf } of page.entries) found.push(JSON.parse(new TextDecoder().decode(leaf)).data.number);
        token = page.nextToken;
      } while (token !== "");
      return found;
    };
    const all = Array.from({ length: COUNT }, (_, number) => COUNT - 1 - number);
    assert.deepEqual(await numbers({}), all);
    const even = all.filter((number) => number % 2 === 0);
    assert.deepEqual(await numbers({ type: "orchestrator" }), even);
    assert.deepEqual(await numbers({ type: "io.xcloudflow.orchestrator.approval" }), even);
    assert.deepEqual(
      await numbers({ type: "orchestrator.approval.given" }),
      even.filter((number) => number % 3 === 0),
    );
    assert.deepEqual(await numbers({ type: "orchestrator.app" }), [], "a prefix ends at a dot");
    assert.deepEqual(await numbers({ type: "%" }), []);
    assert.deepEqual(await numbers({ subject: "prod/shop/unit-7" }), [7]);
    assert.deepEqual(
      await numbers({ subject: "run_2" }),
      all.filter((number) => number % 5 === 2),
    );
    assert.deepEqual(await numbers({ actor: "ada@example.com" }), even);
    assert.deepEqual(await numbers({ since: "2026-01-01T00:05:00Z", until: "2026-01-01T00:08:00Z" }), [7, 6, 5]);
    await assert.rejects(audit.audit.query({ since: "yesterday" }, call), /since "yesterday" is no time/);
    await assert.rejects(audit.audit.query({ page: { token: "x" } }, call), /page token/);
  });

  it("proves an entry and the log's growth to whoever has only the checkpoints", async () => {
    const events = await filled("prove", 11);
    const call = as(viewerOf("prove"));
    const early = await audit.audit.getCheckpoint({}, call);
    await audit.publish([event("prove", 100), event("prove", 101)]);
    await audit.settled("prove", 13);
    const { entry, hashes, checkpoint, verifierKey } = await audit.audit.prove({ eventId: events[4]?.id ?? "" }, call);
    const signed = openCheckpoint(checkpoint, parseVerifier(verifierKey));
    assert.ok(signed !== undefined && entry !== undefined);
    assert.equal(signed.size, 13);
    assert.ok(verifyInclusion(hashLeaf(entry.leaf), 4, 13, hashes, signed.root));
    assert.equal((await audit.audit.prove({ index: 4n }, call)).entry?.index, 4n);
    const growth = await audit.audit.proveConsistency({ firstSize: 11n }, call);
    assert.ok(verifyConsistency(11, 13, growth.hashes, parseCheckpoint(early.checkpoint).root, signed.root));
    await assert.rejects(audit.audit.prove({ eventId: "evt_none" }, call), /has no entry evt_none/);
    await assert.rejects(audit.audit.prove({ index: 13n }, call), /has no entry 13/);
    await assert.rejects(audit.audit.proveConsistency({ firstSize: 14n }, call), /not sizes of this log/);
  });

  it("streams entries as they are appended, from an index on and by type", { timeout: 10_000 }, async () => {
    await filled("follow", 3);
    const seen: string[] = [];
    const subscription = audit.audit.subscribe({ fromIndex: 1n, type: "orchestrator" }, as(viewerOf("follow")));
    for await (const { entry } of subscription) {
      seen.push(String(entry?.index));
      if (seen.length === 1) await audit.publish([event("follow", 3), event("follow", 4)]);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, ["2", "4"]);
  });

  it("takes what services wrote to their outboxes, also what a killed process had published but not kept", async () => {
    const database = fixture.database();
    const events = Array.from({ length: 4 }, (_, number) => event("outbox", number, { service: "source" }));
    await database.transaction(tenantScope("source", "outbox", "write"), (tx) => appendEvents(tx, "source", events));
    const lost = createMemoryBus({ clock, onHandlerError: () => undefined });
    const forgetful = createRelay({
      database,
      bus: lost,
      clock,
      service: "source",
      pollMs: 60_000,
      keepMs: 3_600_000,
      onError: failLoudly,
    });
    await forgetful.flush();
    await forgetful.close();
    await lost.close();
    if (fixture.kind === "pglite") assert.equal(await republishUnaudited(database, ["source"]), 4);
    else
      await database.asOwner("test.republish", async (tx) => {
        await sql`alter table source.outbox no force row level security`.execute(tx);
        await sql`update source.outbox set published_at = null`.execute(tx);
        await sql`alter table source.outbox force row level security`.execute(tx);
      });
    const relay = createRelay({
      database,
      bus: audit.bus,
      clock,
      service: "source",
      pollMs: 60_000,
      keepMs: 3_600_000,
      onError: failLoudly,
    });
    await relay.flush();
    await audit.settled("outbox", 4);
    if (fixture.kind === "pglite") assert.equal(await republishUnaudited(database, ["source"]), 0);
    await relay.close();
  });

  it("lets two processes append to one log", async () => {
    const other = await openAudit(fixture.database(), folder);
    const events = Array.from({ length: 60 }, (_, number) => event("both", number));
    await Promise.all([audit.publish(events.slice(0, 40)), other.publish(events.slice(20))]);
    await audit.settled("both", 60);
    const verdict = await audit.verify("both");
    assert.deepEqual([verdict.intact, verdict.size, verdict.findings], [true, 60n, []]);
    await other.close();
  });

  it("writes everything the bus holds before it closes", async () => {
    const closing = await openAudit(fixture.database(), folder);
    await closing.publish(Array.from({ length: 700 }, (_, number) => event("closing", number)));
    await closing.close();
    assert.equal((await audit.verify("closing")).size, 700n);
  });

  it("takes nothing for an event that is none, or another tenant's, and has an entry that says so", async () => {
    const forged = encodeEvent(event("victim", 1));
    for (const [id, data] of [
      ["empty", ""],
      ["shape", "{}"],
      ["bytes", "\u0000\u0001"],
    ] as const)
      await audit.bus.publish("xcf.event.odd.a.b.c", { id, data: new TextEncoder().encode(data) });
    await audit.bus.publish("xcf.event.odd.a.b.c", { ...forged, id: "forged" });
    await filled("odd", 1);
    const { lines } = await audit.exported("odd");
    const refused = lines.map(String).filter((line) => line.includes("io.xcloudflow.audit.message.refused"));
    assert.deepEqual([lines.length, refused.length], [5, 4]);
    assert.ok(refused.every((line) => line.includes("xcf.event.odd.a.b.c")));
    assert.equal(audit.log.filter((line) => line.includes("no event")).length, 4);
    assert.equal((await audit.exported("victim")).lines.length, 0);
  });

  describe("changed by the database's owner", () => {
    /** What the owner does, what `Verify` answers, what an export made afterwards shows against the checkpoint from before. */
    const ATTACKS: readonly {
      readonly name: string;
      readonly attack: (tenant: string) => readonly string[];
      readonly online: RegExp;
      /** Absent: the attack touches nothing that is exported. */
      readonly offline?: RegExp;
    }[] = [
      {
        name: "edit of an event",
        attack: (tenant) => [
          `update audit.entries set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'unit-7', 'unit-8'), 'UTF8') where tenant = '${tenant}' and index = 7`,
        ],
        online: /^entry 7 \(evt_\w+, state\.approval\.refused\) was edited/,
        offline: /rewritten|were edited/,
      },
      {
        name: "edit of an event together with its hash",
        attack: (tenant) => [
          `update audit.entries set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'unit-7', 'unit-8'), 'UTF8'), concerns = replace(concerns::text, 'unit-7', 'unit-8')::jsonb where tenant = '${tenant}' and index = 7`,
          `update audit.entries set leaf_hash = sha256('\\x00'::bytea || leaf) where tenant = '${tenant}' and index = 7`,
        ],
        online: /tree node 1\/3 was changed|entries 0 to 22 are not those that were signed/,
        offline: /not those that/,
      },
      {
        name: "edit of the columns that queries use",
        attack: (tenant) => [`update audit.entries set actor = 'user:nobody' where tenant = '${tenant}' and index = 4`],
        online: /^entry 4 .* its columns were edited/,
      },
      {
        name: "drop of an event",
        attack: (tenant) => [`delete from audit.entries where tenant = '${tenant}' and index = 9`],
        online: /^entry 9 was dropped/,
        offline: /entry 9 was dropped/,
      },
      {
        name: "drop of an event with the rest moved up",
        attack: (tenant) => [
          `delete from audit.entries where tenant = '${tenant}' and index = 9`,
          `update audit.entries set index = -index - 1000 where false`,
          ...Array.from(
            { length: COUNT - 10 },
            (_, place) =>
              `update audit.entries set index = ${place + 9} where tenant = '${tenant}' and index = ${place + 10}`,
          ),
        ],
        online: /entries 0 to 22 are not|missing at the end|was changed/,
        offline: /missing at the end/,
      },
      {
        name: "reorder of two events",
        attack: (tenant) => [
          `update audit.entries set index = 1000 where tenant = '${tenant}' and index = 5`,
          `update audit.entries set index = 5 where tenant = '${tenant}' and index = 6`,
          `update audit.entries set index = 6 where tenant = '${tenant}' and index = 1000`,
        ],
        online: /was changed|not those that were signed/,
        offline: /reordered|not those that/,
      },
      {
        name: "truncation of the entries alone",
        attack: (tenant) => [`delete from audit.entries where tenant = '${tenant}' and index >= 20`],
        online: /^entries 20 to 22 are missing at the end/,
        offline: /entries 20 to 22 are missing/,
      },
      {
        name: "an entry put after the last one",
        attack: (tenant) => [
          `insert into audit.entries select tenant, 23, 'evt_forged', type, actor, concerns, time, leaf, leaf_hash from audit.entries where tenant = '${tenant}' and index = 0`,
        ],
        online: /^1 entries stand after/,
      },
      {
        name: "change of an inner node",
        attack: (tenant) => [
          `update audit.nodes set hash = sha256('x'::bytea) where tenant = '${tenant}' and level = 2 and index = 1`,
        ],
        online: /^tree node 2\/1 was changed/,
      },
      {
        name: "loss of an inner node",
        attack: (tenant) => [`delete from audit.nodes where tenant = '${tenant}' and level = 1 and index = 10`],
        online: /^tree node 1\/10 is gone/,
      },
      {
        name: "loss of the last checkpoint",
        attack: (tenant) => [`delete from audit.checkpoints where tenant = '${tenant}' and size = ${COUNT}`],
        online: /the checkpoint over 23 entries is gone/,
      },
      {
        name: "a forged checkpoint",
        attack: (tenant) => [
          `update audit.checkpoints set note = replace(note, chr(10) || '23' || chr(10), chr(10) || '22' || chr(10)) where tenant = '${tenant}' and size = ${COUNT}`,
        ],
        online: /the checkpoint over 23 entries is not signed/,
      },
      {
        name: "the log's row set back",
        attack: (tenant) => [
          `update audit.logs set frontier = substr(frontier, 1, 32) || sha256('x'::bytea) || substr(frontier, 65) where tenant = '${tenant}'`,
        ],
        online: /the log's row does not hold the root/,
      },
    ];

    for (const [number, { name, attack, online, offline }] of ATTACKS.entries()) {
      it(`is found out: ${name}`, async () => {
        const tenant = `attack-${number}`;
        await filled(tenant);
        const honest = await audit.exported(tenant);
        assert.equal((await audit.verify(tenant)).intact, true);
        await asOwner(...attack(tenant));
        const verdict = await audit.verify(tenant);
        assert.equal(verdict.intact, false);
        assert.match(verdict.findings[0] ?? "", online, verdict.findings.join("\n"));
        if (offline === undefined) return;
        const lines = (await rawEntries(fixture.database(), tenant)).map(({ index, leaf }) =>
          formatExportLine(Number(index), leaf),
        );
        const offlineVerdict = await verifyExport(lines, honest.checkpoint);
        assert.equal(offlineVerdict.intact, false);
        assert.match(offlineVerdict.findings.map(({ text }) => text).join("\n"), offline);
      });
    }

    it("is found out: everything cut back to an earlier, truly signed state", async () => {
      await filled("cut-back", 5);
      const old = await audit.audit.getCheckpoint({}, as(viewerOf("cut-back")));
      const snapshot = await snapshotLog(fixture.database(), "cut-back");
      await audit.publish([event("cut-back", 5), event("cut-back", 6)]);
      await audit.settled("cut-back", 7);
      const honest = await audit.exported("cut-back");
      // The newest checkpoint leaves the database a moment after the commit that subscribers see.
      await untilWitnessed(join(folder, "checkpoints"), honest.checkpoint);
      await asOwner(
        `delete from audit.entries where tenant = 'cut-back' and index >= 5`,
        `delete from audit.nodes where tenant = 'cut-back' and (index + 1) * (2 ^ level) > 5`,
        `delete from audit.checkpoints where tenant = 'cut-back' and size > 5`,
        `update audit.logs set size = 5, frontier = '\\x${snapshot}' where tenant = 'cut-back'`,
      );
      assert.equal((await audit.audit.getCheckpoint({}, as(viewerOf("cut-back")))).checkpoint, old.checkpoint);
      const verdict = await audit.verify("cut-back");
      assert.deepEqual(verdict.findings, ["entries 5 to 6 are missing at the end"], "only the witness knows");
      const forged = await audit.exported("cut-back");
      const offline = await verifyExport(forged.lines, honest.checkpoint);
      assert.match(offline.findings[0]?.text ?? "", /entries 5 to 6 are missing/);
    });

    it("is found out: a fork that the owner builds and lets the service sign", async () => {
      await filled("fork", 8);
      const honest = await audit.exported("fork");
      await asOwner(
        `update audit.entries set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'unit-3', 'unit-4'), 'UTF8') where tenant = 'fork' and index = 3`,
        `update audit.entries set leaf_hash = sha256('\\x00'::bytea || leaf) where tenant = 'fork'`,
        `update audit.nodes n set hash = sha256('\\x01'::bytea || (select leaf_hash from audit.entries e where e.tenant = n.tenant and e.index = n.index * 2) || (select leaf_hash from audit.entries e where e.tenant = n.tenant and e.index = n.index * 2 + 1)) where tenant = 'fork' and level = 1`,
        `update audit.nodes n set hash = sha256('\\x01'::bytea || (select hash from audit.nodes c where c.tenant = n.tenant and c.level = 1 and c.index = n.index * 2) || (select hash from audit.nodes c where c.tenant = n.tenant and c.level = 1 and c.index = n.index * 2 + 1)) where tenant = 'fork' and level = 2`,
        `update audit.nodes n set hash = sha256('\\x01'::bytea || (select hash from audit.nodes c where c.tenant = n.tenant and c.level = 2 and c.index = 0) || (select hash from audit.nodes c where c.tenant = n.tenant and c.level = 2 and c.index = 1)) where tenant = 'fork' and level = 3`,
        `update audit.logs l set frontier = (select hash from audit.nodes c where c.tenant = l.tenant and c.level = 3) where tenant = 'fork'`,
      );
      assert.match((await audit.verify("fork")).findings.join("\n"), /not those that were signed|columns were edited/);
      await audit.publish([event("fork", 9)]);
      await untilLogged(audit, /tampered/);
      const rows = await rawEntries(fixture.database(), "fork");
      assert.equal(rows.length, 8, "nothing is signed on top of a forged log");
      const offline = await verifyExport(
        rows.map(({ index, leaf }) => formatExportLine(Number(index), leaf)),
        honest.checkpoint,
      );
      assert.match(offline.findings[0]?.text ?? "", /not those that/);
      await assert.rejects(audit.audit.getCheckpoint({}, as(viewerOf("fork"))), /changed behind the audit service/);
    });

    it("is found out: another log's rows and checkpoints put in its place", async () => {
      await filled("victim", 6);
      await filled("donor", 6);
      const honest = await audit.exported("victim");
      const donor = await audit.exported("donor");
      const offline = await verifyExport(donor.lines, donor.checkpoint, {
        verifierKey: honest.checkpoint.split("verifier-key ")[1]?.trim(),
      });
      assert.deepEqual(
        offline.findings.map(({ kind }) => kind),
        ["unsigned"],
      );
    });
  });

  it("refuses a signing key that others can read", async () => {
    const loose = await mkdtemp(join(tmpdir(), "xcf-audit-loose-"));
    await writeFile(join(loose, "audit.pem"), "x", { mode: 0o644 });
    await assert.rejects(openAudit(fixture.database(), loose), /others can read this key/);
    await rm(loose, { recursive: true });
    assert.deepEqual((await readdir(folder)).sort(), ["audit.pem", "checkpoints"]);
  });
});

function failLoudly(error: unknown): void {
  throw error;
}

async function rawEntries(
  database: OwnedDatabase,
  tenant: string,
): Promise<readonly { index: bigint; leaf: Uint8Array }[]> {
  return await database.transaction(tenantScope("audit", tenant, "test-raw"), async (tx) => {
    const { rows } = await sql<{
      index: bigint;
      leaf: Uint8Array;
    }>`select index, leaf from audit.entries order by index`.execute(tx);
    return rows;
  });
}

async function snapshotLog(database: OwnedDatabase, tenant: string): Promise<string> {
  return await database.transaction(tenantScope("audit", tenant, "test-snapshot"), async (tx) => {
    const { rows } = await sql<{
      frontier: string;
    }>`select encode(frontier, 'hex') as frontier from audit.logs`.execute(tx);
    return rows[0]?.frontier ?? "";
  });
}

async function untilWitnessed(folder: string, checkpoint: string): Promise<void> {
  const { origin, size } = parseCheckpoint(parseCheckpointFile(checkpoint).note);
  const witness = createFileCheckpointWitness(folder);
  const deadline = Date.now() + 5_000;
  for (let note = ""; note === "" || parseCheckpoint(note).size < size; note = (await witness.latest(origin)) ?? "") {
    if (Date.now() > deadline) assert.fail(`the checkpoint over ${size} entries did not leave the database`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function untilLogged({ log }: Audit, pattern: RegExp): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!log.some((line) => pattern.test(line))) {
    if (Date.now() > deadline) assert.fail(`nothing like ${pattern} was logged:\n${log.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
