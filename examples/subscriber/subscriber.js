// Prints a tenant's events as they happen, and goes on where it stopped. Plain JavaScript, two packages:
//   npm install @nats-io/transport-node @nats-io/jetstream
//   NATS_URL=nats://… NATS_USER=… NATS_PASSWORD=… node subscriber.js [--name NAME] [--from SEQUENCE]
import { parseArgs } from "node:util";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const STREAM = "XCF_EVENTS";
const { values } = parseArgs({ options: { name: { type: "string", default: "printer" }, from: { type: "string" } } });
const { NATS_URL = "nats://127.0.0.1:4222", NATS_USER, NATS_PASSWORD } = process.env;

const connection = await connect({
  servers: NATS_URL.split(","),
  user: NATS_USER,
  pass: NATS_PASSWORD,
  maxReconnectAttempts: -1,
});

// NATS keeps the place of a durable consumer: what is acknowledged is not sent again, whoever asks next under this name.
// A name that has gone some way already cannot begin anywhere else, so `--from` wants a new one.
const start =
  values.from === undefined
    ? { deliver_policy: "all" }
    : { deliver_policy: "by_start_sequence", opt_start_seq: Number(values.from) };
const manager = await jetstreamManager(connection);
await manager.consumers.add(STREAM, { durable_name: values.name, ack_policy: "explicit", ...start });

const consumer = await jetstream(connection).consumers.get(STREAM, values.name);
const messages = await consumer.consume({ max_messages: 100 });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void messages.close());

// At least once: the same event may come twice, and its id says so. Remember ids where twice would hurt.
for await (const message of messages) {
  const event = message.json();
  console.log(`${message.seq}  ${event.time}  ${event.type}  ${event.subject ?? ""}  ${JSON.stringify(event.data)}`);
  message.ack();
}
await connection.drain();
