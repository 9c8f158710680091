import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, createClient } from "@connectrpc/connect";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { preparePgliteDirectory } from "@xcloudflow/database/pglite-directory";
import { type ConnectOwnerOptions, connectOwner, type OwnerConnection } from "@xcloudflow/embedded/owner/owner-client";
import {
  OwnerTakenError,
  OwnerUnresponsiveError,
  OwnerVersionMismatchError,
} from "@xcloudflow/embedded/owner/owner-errors";
import { takeLock } from "@xcloudflow/embedded/owner/owner-lock";
import { startOwner } from "@xcloudflow/embedded/owner/owner-process";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@xcloudflow/proto/grpc/health/v1/health_pb";

const clock = createSystemClock();
const entry = join(import.meta.dirname, "../support/owner-main.ts");
const LINGER_MS = 300;

let blank: string;
let root: string;
let dir: string;
let opened: OwnerConnection[];
const pids = new Set<number>();

before(async () => {
  blank = await mkdtemp(join(tmpdir(), "xcf-owner-blank-"));
  await preparePgliteDirectory(join(blank, "db"));
});

after(() => rm(blank, { recursive: true, force: true }));

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "xcf-owner-"));
  dir = join(root, ".xcf");
  await mkdir(dir, { mode: 0o700 });
  // Making a database takes seconds and is tested elsewhere.
  await cp(join(blank, "db"), join(dir, "db"), { recursive: true });
  opened = [];
});

afterEach(async () => {
  for (const connection of opened) connection.close();
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  for (const pid of pids) await until(() => !isAlive(pid), `process ${pid} ends`);
  pids.clear();
  await rm(root, { recursive: true, force: true });
});

interface Settings extends Partial<ConnectOwnerOptions> {
  readonly lingerMs?: number;
  readonly failure?: string;
}

async function open({
  lingerMs = LINGER_MS,
  failure = "",
  version = "1.0.0",
  ...options
}: Settings = {}): Promise<OwnerConnection> {
  const at = options.dir ?? dir;
  const command = {
    executable: process.execPath,
    arguments: [entry, at, version, String(lingerMs), failure],
    environment: { PATH: process.env["PATH"] },
  };
  const connection = await connectOwner({ dir: at, version, clock, command, ...options });
  pids.add(connection.identity.pid);
  opened.push(connection);
  return connection;
}

function clientOf(connection: OwnerConnection): Client<typeof Health> {
  return createClient(Health, connection.transport);
}

async function ask(connection: OwnerConnection, command: string): Promise<Status> {
  return (await clientOf(connection).check({ service: command })).status;
}

/** A process has no signal for those who are not its parent, so its end is looked for. */
async function until(holds: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > end) assert.fail(`waited too long until ${what}`);
    await delay(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A killed child that nobody has waited for is dead all the same.
  return process.platform !== "linux" || !/^State:\s+Z/m.test(readStatus(pid));
}

function readStatus(pid: number): string {
  return existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, "utf8") : "State: Z";
}

test("ten clients at once share one owner, and all their writes are there", async () => {
  const connections = await Promise.all(Array.from({ length: 10 }, () => open()));
  assert.equal(new Set(connections.map(({ identity }) => identity.pid)).size, 1);
  await Promise.all(connections.map((connection, index) => ask(connection, `append:${index}`)));
  const [first] = connections;
  assert.ok(first);
  for (let index = 0; index < 10; index++) assert.equal(await ask(first, `has:${index}`), Status.SERVING);
});

test("after SIGKILL in the middle of writes the next client gets a new owner that has every acknowledged one", async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < 3; round++) {
    const connection = await open();
    const { pid } = connection.identity;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let index = 0; ; index++) {
        const text = `${round}-${writer}-${index}`;
        await ask(connection, `append:${text}`);
        acknowledged.push(text);
        if (acknowledged.length === (round + 1) * 50) process.kill(pid, "SIGKILL");
      }
    });
    for (const outcome of await Promise.allSettled(writers)) assert.equal(outcome.status, "rejected");
    await connection.gone;
  }
  assert.ok(acknowledged.length >= 150);
  const last = await open();
  for (const text of acknowledged) assert.equal(await ask(last, `has:${text}`), Status.SERVING, text);
});

test("a second owner is refused while the first lives, in the same process or another", async () => {
  const connection = await open();
  assert.equal(takeLock(dir, "owner"), undefined);
  const startControlPlane = () => Promise.reject(new Error("must not be started"));
  await assert.rejects(startOwner({ dir, version: "1.0.0", clock, lingerMs: 0, startControlPlane }), OwnerTakenError);
  process.kill(connection.identity.pid, "SIGKILL");
  await connection.gone;
  await until(() => !isAlive(connection.identity.pid), "the owner ends");
  const lock = takeLock(dir, "owner");
  assert.ok(lock);
  lock.release();
});

test("the owner leaves after its last client, not before, and cleans up", async () => {
  const [first, second] = [await open(), await open()];
  const { pid, socket } = first.identity;
  first.close();
  await delay(LINGER_MS * 2);
  assert.equal(await ask(second, "append:still there"), Status.SERVING);
  second.close();
  await until(() => !isAlive(pid), "the owner leaves");
  assert.deepEqual(readdirSync(dir).toSorted(), ["db", "owner.lock", "owner.log", "starting.lock"]);
  assert.equal(existsSync(socket), false);
});

test("the owner stays while a run is active, without any client", async () => {
  const connection = await open();
  const { pid } = connection.identity;
  await ask(connection, "busy");
  connection.close();
  await delay(LINGER_MS * 3);
  assert.equal(isAlive(pid), true);
  const again = await open();
  assert.equal(again.identity.pid, pid);
  await ask(again, "free");
  again.close();
  await until(() => !isAlive(pid), "the owner leaves");
});

test("a client that comes back within the grace finds the same owner", async () => {
  const first = await open({ lingerMs: 60_000 });
  first.close();
  const second = await open({ lingerMs: 60_000 });
  assert.equal(second.identity.pid, first.identity.pid);
});

test("an owner that hangs is named within the deadline", async () => {
  const connection = await open();
  const { pid } = connection.identity;
  process.kill(pid, "SIGSTOP");
  const begun = Date.now();
  await assert.rejects(open({ answerMs: 1000 }), (error) => {
    assert.ok(error instanceof OwnerUnresponsiveError);
    assert.equal(error.pid, pid);
    assert.match(error.message, new RegExp(`kill -CONT ${pid}`));
    return true;
  });
  assert.ok(Date.now() - begun < 3000);
  process.kill(pid, "SIGCONT");
  assert.equal((await open()).identity.pid, pid);
});

test("a folder held by a process that serves nobody is an error within the deadline", async () => {
  const lock = takeLock(dir, "owner");
  assert.ok(lock);
  await assert.rejects(open({ startMs: 2500 }), OwnerUnresponsiveError);
  lock.release();
});

test("an idle owner of another version makes room, one in use is an error that says what to do", async () => {
  const old = await open({ version: "1.0.0", lingerMs: 60_000 });
  await assert.rejects(open({ version: "2.0.0" }), (error) => {
    assert.ok(error instanceof OwnerVersionMismatchError);
    assert.deepEqual([error.pid, error.theirs, error.ours], [old.identity.pid, "1.0.0", "2.0.0"]);
    return true;
  });
  assert.equal(await ask(old, "append:kept"), Status.SERVING);
  old.close();
  const next = await open({ version: "2.0.0" });
  assert.notEqual(next.identity.pid, old.identity.pid);
  assert.equal(await ask(next, "has:kept"), Status.SERVING);
});

test("a busy owner of another version stays, even without clients", async () => {
  const old = await open({ version: "1.0.0", lingerMs: 60_000 });
  await ask(old, "busy");
  old.close();
  await assert.rejects(open({ version: "2.0.0" }), OwnerVersionMismatchError);
  const again = await open({ version: "1.0.0" });
  assert.equal(again.identity.pid, old.identity.pid);
});

test("an owner that fails as it starts shows its own error to every client waiting for it", async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 3 }, () => open({ failure: "coded" })));
  for (const outcome of outcomes) {
    assert.equal(outcome.status, "rejected");
    const { code, category, where, hint } = outcome.reason;
    assert.deepEqual(
      { code, category, where, hint },
      {
        code: "DATABASE_CORRUPT",
        category: "dataLoss",
        where: "here",
        hint: "restore them",
      },
    );
  }
  assert.equal(await ask(await open(), "append:works afterwards"), Status.SERVING);
});

test("an owner that dies as it starts shows its last words", async () => {
  await assert.rejects(
    open({ failure: "crash" }),
    (error) => error instanceof Error && /SIGKILL[\s\S]*last words/.test(error.message),
  );
});

test("a client killed while it starts an owner leaves no trace for the next", async () => {
  const turn = takeLock(dir, "starting");
  assert.ok(turn);
  const waiting = open({ failure: "slow" });
  await delay(100);
  turn.release();
  assert.equal(await ask(await waiting, "append:x"), Status.SERVING);
});

test("socket and identity are for this user only, and a path too long for a socket still works", async () => {
  const long = join(root, "d".repeat(120), ".xcf");
  await mkdir(join(long, ".."), { recursive: true });
  for (const at of [dir, long]) {
    const { identity } = await open({ dir: at });
    assert.equal(statSync(identity.socket).mode & 0o777, 0o600);
    assert.equal(statSync(join(at, "owner.json")).mode & 0o777, 0o600);
    assert.equal(statSync(at).mode & 0o777, 0o700);
    assert.ok(identity.socket.startsWith(tmpdir()));
  }
});

test("a socket and an owner.json left by a killed owner do not stand in the way", async () => {
  const first = await open();
  process.kill(first.identity.pid, "SIGKILL");
  await first.gone;
  assert.equal(existsSync(first.identity.socket), true);
  assert.notEqual((await open()).identity.pid, first.identity.pid);
});

test("SIGTERM ends the owner in order, with calls running", async () => {
  const connection = await open();
  const unfinished = ask(connection, "wait");
  unfinished.catch(() => undefined);
  await ask(connection, "append:last");
  process.kill(connection.identity.pid, "SIGTERM");
  await assert.rejects(unfinished);
  await until(() => !isAlive(connection.identity.pid), "the owner ends");
  assert.equal(await ask(await open(), "has:last"), Status.SERVING);
});
