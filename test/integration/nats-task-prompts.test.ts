import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { DEFAULT_STREAM_SETTINGS, TASK_STREAM, taskStream } from "@xcloudflow/chassis/nats-streams";
import { createNatsTaskAnnouncer, createNatsTaskPrompts } from "@xcloudflow/chassis/nats-task-prompts";
import type { TaskAnnouncer, TaskPrompt, TaskPrompts } from "@xcloudflow/chassis/task-prompts";
import { requireEngine } from "../support/engines.ts";
import { connectTo, silentLogger } from "../support/nats.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server-cli.ts";
import { poll } from "../support/poll.ts";

const ACK_WAIT_MS = 1_000;

describe("prompts to claim tasks", { skip: requireEngine("nats-server").skip }, () => {
  let server: NatsServer;
  let connections: NatsConnection[] = [];
  let announcer: TaskAnnouncer;
  let lost = 0;
  const never = new AbortController().signal;

  async function common() {
    const connection = await connectTo(server.url);
    connections.push(connection);
    const stream = taskStream(DEFAULT_STREAM_SETTINGS);
    return { connection, stream, clock: createSystemClock(), logger: silentLogger, ackWaitMs: ACK_WAIT_MS };
  }
  async function startWorker(engines = ["terraform"], waitMs = 20_000): Promise<TaskPrompts> {
    return await createNatsTaskPrompts({ ...(await common()), engines, pool: "apply", waitMs });
  }
  const announce = (task: string, engine = "terraform") =>
    announcer.announceTask({ tenant: "ada", task, attempt: 1, engine, pool: "apply" });
  /** What KEDA's nats-jetstream scaler reads. */
  async function lag(): Promise<number> {
    const [connection] = connections;
    assert.ok(connection);
    const manager = await jetstreamManager(connection);
    const info = await manager.consumers.info(TASK_STREAM, "runner-terraform-apply");
    return info.num_pending + info.num_ack_pending;
  }
  async function nextOf(worker: TaskPrompts): Promise<TaskPrompt> {
    const prompt = await worker.next(never);
    assert.ok(prompt);
    return prompt;
  }

  beforeEach(async () => {
    lost = 0;
    server = await startNatsServer();
    announcer = await createNatsTaskAnnouncer({ ...(await common()), lookEveryMs: 100, onLost: () => void lost++ });
  });
  afterEach(async () => {
    await announcer.close();
    for (const open of connections) await open.close();
    connections = [];
    await server.stop();
  });

  test("each goes to one worker, and counts until its task has ended", async () => {
    const workers = [await startWorker(), await startWorker()];
    for (let task = 0; task < 6; task++) await announce(`t${task}`);
    const prompts = await Promise.all([0, 1, 0, 1, 0, 1].map((at) => nextOf(workers[at] ?? assert.fail())));
    assert.deepEqual(
      prompts.map(({ tenant, task }) => `${tenant}/${task}`).toSorted(),
      [0, 1, 2, 3, 4, 5].map((task) => `ada/t${task}`),
    );
    assert.equal(await lag(), 6);
    await prompts[0]?.done();
    await prompts[1]?.done();
    assert.equal(await lag(), 4);
  });

  test("a task announced twice is prompted once", async () => {
    await announce("same");
    await announce("same");
    assert.equal(await lag(), 1);
  });

  test("a dead worker's prompt goes to another after the ack wait; a living one keeps its own by extending", async () => {
    const dying = await startWorker();
    const dead = connections.at(-1);
    const living = await startWorker();
    await announce("kept");
    const kept = await nextOf(living);
    await announce("lost");
    assert.equal((await nextOf(dying)).task, "lost");
    await dead?.close();
    connections = connections.filter((connection) => connection !== dead);
    const extending = setInterval(() => kept.extend(), ACK_WAIT_MS / 5);
    try {
      const again = await nextOf(living);
      assert.equal(again.task, "lost");
      await again.done();
      const quiet = await startWorker(["terraform"], ACK_WAIT_MS * 2);
      assert.equal(await quiet.next(never), undefined);
      await kept.done();
      assert.equal(await lag(), 0);
    } finally {
      clearInterval(extending);
    }
  });

  test("what must wait comes later, and counts meanwhile", async () => {
    const worker = await startWorker();
    await announce("waiting");
    await (await nextOf(worker)).later(300);
    assert.equal(await lag(), 1);
    const again = await nextOf(worker);
    assert.equal(again.task, "waiting");
    await again.done();
    assert.equal(await lag(), 0);
  });

  test("a worker of two engines hears of both and holds neither back from others", async () => {
    const both = await startWorker(["terraform", "pulumi"]);
    const other = await startWorker(["pulumi"]);
    await announce("t", "terraform");
    await announce("p", "pulumi");
    const first = await nextOf(both);
    await first.done();
    const second = await nextOf(first.task === "p" ? both : other);
    await second.done();
    assert.deepEqual([first.task, second.task].toSorted(), ["p", "t"]);
  });

  test("waiting for a prompt ends with the signal", async () => {
    const worker = await startWorker();
    const ending = new AbortController();
    const waiting = worker.next(ending.signal);
    ending.abort();
    assert.equal(await waiting, undefined);
    await announce("after");
    assert.equal((await nextOf(await startWorker())).task, "after");
  });

  test("a message that names no task is dropped, never in the way", async () => {
    const worker = await startWorker();
    await connections[0]?.flush();
    connections[0]?.publish("xcf.task.terraform.apply", "{}");
    await announce("good");
    const good = await nextOf(worker);
    assert.equal(good.task, "good");
    await good.done();
    await poll(
      async () => {
        assert.equal(await worker.next(AbortSignal.timeout(100)), undefined);
        return await lag();
      },
      (count) => count === 0,
    );
  });

  test("when NATS loses its store the orchestrator is told, and a waiting worker hears what is announced again", async () => {
    const worker = await startWorker();
    await announce("running");
    await nextOf(worker);
    await server.stop();
    await server.deleteStore();
    await server.start();
    const waiting = nextOf(worker);
    await poll(
      async () => lost,
      (count) => count > 0,
    );
    await announce("running");
    assert.equal((await waiting).task, "running");
    assert.equal(await lag(), 1);
  });
});
