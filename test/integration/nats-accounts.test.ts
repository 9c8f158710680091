import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { natsAccountsConfig, type TenantAccount, tenantStream } from "@xcloudflow/chassis/nats-accounts";
import { createNatsBus, type NatsBus } from "@xcloudflow/chassis/nats-bus";
import { NatsForbiddenError } from "@xcloudflow/chassis/nats-errors";
import { DEFAULT_STREAM_SETTINGS, declareStream, EVENT_STREAM, eventStream } from "@xcloudflow/chassis/nats-streams";
import { requireEngine } from "../support/engines.ts";
import { connectTo, silentLogger } from "../support/nats.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server-cli.ts";
import { poll } from "../support/poll.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/subscriber/subscriber.js");

const account = (tenant: string): TenantAccount => ({
  tenant,
  provisioner: { user: `${tenant}-mesh`, password: "p" },
  subscribers: [{ user: `${tenant}-reader`, password: "r" }],
});

describe("a tenant's account", { skip: requireEngine("nats-server").skip }, () => {
  let server: NatsServer;
  let bus: NatsBus;
  const connections: NatsConnection[] = [];

  async function enter(user: string, password: string): Promise<NatsConnection> {
    const connection = await connectTo(server.url, { XCF_NATS_USER: user, XCF_NATS_PASSWORD: password });
    connections.push(connection);
    return connection;
  }
  const publish = (tenant: string, id: string) =>
    bus.publish(`xcf.event.${tenant}.state.lock.taken`, { id, data: new TextEncoder().encode(`${tenant} ${id}`) });
  async function read(connection: NatsConnection, count: number, from = 1): Promise<readonly string[]> {
    const consumer = await jetstream(connection).consumers.get(EVENT_STREAM, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
    });
    const texts: string[] = [];
    for await (const message of await consumer.fetch({ max_messages: count, expires: 3_000 }))
      texts.push(message.string());
    return texts;
  }

  before(async () => {
    const mesh = [{ user: "mesh", password: "m" }];
    const config = natsAccountsConfig(mesh, [account("ada"), account("bob")], { user: "sys", password: "s" });
    server = await startNatsServer(config);
    const connection = await enter("mesh", "m");
    const stream = eventStream(DEFAULT_STREAM_SETTINGS);
    const told = { onHandlerError: () => undefined, onParked: () => undefined };
    bus = await createNatsBus({ connection, stream, clock: createSystemClock(), logger: silentLogger, ...told });
    await publish("ada", "a1");
    await publish("bob", "b1");
    for (const tenant of ["ada", "bob"]) {
      const manager = await jetstreamManager(await enter(`${tenant}-mesh`, "p"));
      await declareStream(manager, tenantStream(tenant, DEFAULT_STREAM_SETTINGS));
    }
    await publish("bob", "b2");
    await publish("ada", "a2");
    await publish("ada", "a3");
  });
  after(async () => {
    for (const connection of connections) await connection.close();
    await server.stop();
  });

  test("has its own events, those from before it included, and nobody else's", async () => {
    const reader = await enter("ada-reader", "r");
    const manager = await jetstreamManager(reader);
    await poll(
      () => manager.streams.info(EVENT_STREAM),
      ({ state }) => state.messages >= 3,
    );
    assert.deepEqual(await read(reader, 3), ["ada a1", "ada a2", "ada a3"]);
    assert.deepEqual(await read(await enter("bob-reader", "r"), 2), ["bob b1", "bob b2"]);
    assert.equal((await manager.streams.info(EVENT_STREAM)).state.messages, 3);
  });

  test("replays from a sequence", async () => {
    const reader = await enter("ada-reader", "r");
    await poll(
      async () => (await jetstreamManager(reader)).streams.info(EVENT_STREAM),
      ({ state }) => state.messages >= 3,
    );
    assert.deepEqual(await read(reader, 2, 2), ["ada a2", "ada a3"]);
  });

  for (const user of ["ada-reader", "ada-mesh"]) {
    const password = user === "ada-mesh" ? "p" : "r";
    const subjects = ["xcf.event.>", "xcf.event.bob.>", "xcf.task.>", "xcf.mirror.bob.>", ">"];
    test(`${user} cannot listen to ${subjects.join(", ")}`, async () => {
      for (const subject of subjects) {
        const connection = await enter(user, password);
        const refused = Promise.withResolvers<string>();
        connection.subscribe(subject, { callback: (error) => refused.resolve(error?.message ?? "a message") });
        assert.match(await refused.promise, /permissions violation/i, subject);
      }
    });

    test(`${user} cannot ask the mesh's JetStream for anything, nor publish into it`, async () => {
      const calls = [
        "xcf.mesh.api.CONSUMER.CREATE.XCF_EVENTS.x.xcf.event.ada.>",
        "xcf.mesh.api.CONSUMER.CREATE.XCF_EVENTS.x.xcf.event.bob.>",
        "xcf.mesh.api.STREAM.INFO.XCF_EVENTS",
        "xcf.event.bob.state.lock.taken",
        "xcf.task.terraform.apply",
      ];
      for (const call of calls) {
        const connection = await enter(user, password);
        await assert.rejects(connection.request(call, "{}", { timeout: 1_000 }), /permissions violation/i, call);
      }
    });
  }

  test("a reader cannot change, purge or delete its stream", async () => {
    const reader = await enter("ada-reader", "r");
    for (const call of ["UPDATE", "PURGE", "DELETE", "CREATE"])
      await assert.rejects(
        reader.request(`$JS.API.STREAM.${call}.XCF_EVENTS`, "{}", { timeout: 1_000 }),
        /permissions violation/i,
        call,
      );
  });

  test("the example prints events and goes on where it stopped", async () => {
    const printed = async (events: number): Promise<readonly string[]> => {
      const env = {
        PATH: process.env["PATH"] ?? "",
        NATS_URL: server.url,
        NATS_USER: "bob-reader",
        NATS_PASSWORD: "r",
      };
      const child = spawn(process.execPath, [EXAMPLE, "--name", "example"], {
        env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const lines: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(line);
        if (lines.length === events) child.kill("SIGTERM");
      }
      return lines;
    };
    const event = (id: string) => ({
      id,
      time: "2026-01-01T00:00:00Z",
      type: "io.xcloudflow.state.lock.taken",
      data: {},
    });
    const subject = "xcf.event.bob.state.lock.taken";
    const manager = await jetstreamManager(await enter("bob-mesh", "p"));
    await manager.streams.purge(EVENT_STREAM);
    for (const id of ["e1", "e2"]) await bus.publish(subject, { id, data: Buffer.from(JSON.stringify(event(id))) });
    const first = await printed(2);
    await bus.publish(subject, { id: "e3", data: Buffer.from(JSON.stringify(event("e3"))) });
    const second = await printed(1);
    assert.match(first.join("\n"), /io\.xcloudflow\.state\.lock\.taken/);
    assert.equal(new Set([...first, ...second].map((line) => line.split(" ")[0])).size, 3);
  });

  test("a wrong password is refused with one clear error", async () => {
    await assert.rejects(enter("ada-reader", "wrong"), NatsForbiddenError);
  });
});
