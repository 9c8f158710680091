import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { ConnectRouter, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { encodeEvent, eventHeaders } from "@xcloudflow/chassis/event";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { type RunningServer, serveRoutes } from "@xcloudflow/chassis/serve";
import { edgeInterceptors } from "@xcloudflow/chassis/server-interceptors";
import { startTelemetry, type Telemetry } from "@xcloudflow/chassis/telemetry";
import { currentTraceparent, inSpan, inTraceOf, quietly } from "@xcloudflow/chassis/tracing";
import { CodedError } from "@xcloudflow/model/coded-error";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import fc from "fast-check";
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from "../support/otlp-collector.ts";

class ShelfFullError extends CodedError {
  constructor() {
    super("SHELF_FULL", "internal", { what: "the shelf with hunter2 is full", hint: "take something off" });
  }
}

const viewer: Caller = { tenant: "acme", subject: "ada", groups: [], roles: ["viewer"], assurance: "token" };
const lines: string[] = [];
const clock = createSystemClock();
const options = {
  logger: createLogger({ level: "debug", now: () => new Date(), write: (line) => void lines.push(line) }),
  clock,
  newReference: () => "ref-1",
};
const call = as(viewer);
const WAIT_MS = 10_000;

let seen: (string | undefined)[] = [];
let collector: OtlpCollector;
let telemetry: Telemetry;
let server: RunningServer;

function routes(router: ConnectRouter): void {
  router.service(ApiService, {
    getServerInfo() {
      seen.push(currentTraceparent());
      return {};
    },
    getRun() {
      throw new ShelfFullError();
    },
    async *watchRun() {
      for (let sequence = 1n; ; sequence++) {
        // Each message is made by another turn of the event loop, after the call itself has returned.
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(currentTraceparent());
        yield { sequence };
      }
    },
  });
}

before(async () => {
  collector = await startOtlpCollector();
  telemetry = await startTelemetry({
    service: "test",
    version: "0",
    otlpEndpoint: `${collector.url}/`,
    prometheus: false,
    lingerMs: 20,
  });
  server = await serveRoutes({
    routes: [routes],
    interceptors: edgeInterceptors(options),
    authenticate: async () => viewer,
    grpc: { host: "127.0.0.1", port: 0 },
    http: { host: "127.0.0.1", port: 0 },
    graceMs: 100,
  });
});

after(async () => {
  await server.close();
  await telemetry.shutdown();
  await collector.close();
});

/** Runs `work` as the root of a trace and answers the trace's id, whatever becomes of the work. */
async function asRoot(work: () => Promise<unknown>): Promise<string> {
  let traceId = "";
  seen = [];
  await inSpan("root", {}, async (span) => {
    ({ traceId } = span.spanContext());
    await work().catch(() => undefined);
  });
  return traceId;
}

/** The trace in the order from the root down, once it has this many spans. */
async function chain(traceId: string, length: number): Promise<CollectedSpan[]> {
  return collector.waitFor((spans) => {
    const trace = spans.filter((span) => span.traceId === traceId);
    if (trace.length < length) return undefined;
    const ordered: CollectedSpan[] = [];
    for (let parent = ""; ; ) {
      const next = trace.find((span) => span.parentSpanId === parent);
      if (next === undefined) return ordered;
      ordered.push(next);
      parent = next.spanId;
    }
  }, WAIT_MS);
}

const transports: Readonly<Record<string, () => Transport>> = {
  memory: () => createMemoryTransport([routes], options),
  gRPC: () => createGrpcTransport({ baseUrl: server.grpc.url, interceptors: [authorize] }),
  "gRPC-web": () => createGrpcWebTransport({ baseUrl: server.http.url, httpVersion: "1.1", interceptors: [authorize] }),
  Connect: () => createConnectTransport({ baseUrl: server.http.url, httpVersion: "1.1", interceptors: [authorize] }),
};

const authorize: NonNullable<Parameters<typeof createGrpcTransport>[0]["interceptors"]>[number] =
  (next) => (request) => {
    request.header.set("authorization", "Bearer tok");
    return next(request);
  };

for (const [name, open] of Object.entries(transports)) {
  describe(`trace context over ${name}`, () => {
    test("a call is a span of the caller's and one of the server's, with tenant and method", async () => {
      const method = "xcloudflow.api.v1.ApiService/GetServerInfo";
      const traceId = await asRoot(() => createCodedClient(ApiService, open()).getServerInfo({}, call));
      const [root, client, served, ...rest] = await chain(traceId, 3);
      assert.deepEqual([root?.name, client?.name, served?.name, rest], ["root", method, method, []]);
      assert.deepEqual([client?.kind, served?.kind], [3, 2]);
      assert.equal(served?.attributes.get("rpc.method"), method);
      assert.equal(served?.attributes.get("xcf.tenant"), "acme");
      assert.deepEqual(seen, [`00-${traceId}-${served?.spanId}-01`]);
    });

    test("a failure is recorded on both sides by its code, without its words", async () => {
      const traceId = await asRoot(() => createCodedClient(ApiService, open()).getRun({ id: "x" }, call));
      const [, client, served] = await chain(traceId, 3);
      for (const span of [client, served]) {
        assert.equal(span?.status, 2);
        assert.equal(span?.attributes.get("rpc.response.status_code"), "Internal");
      }
    });

    test("a stream that is left early ends both spans, and what makes its messages is inside the server's", async () => {
      const traceId = await asRoot(async () => {
        let count = 0;
        for await (const _ of createCodedClient(ApiService, open()).watchRun({ id: "x" }, call))
          if (++count === 3) break;
      });
      const [, client, served] = await chain(traceId, 3);
      assert.ok((client?.end ?? 0n) > (client?.start ?? 0n));
      assert.ok(seen.length >= 3);
      assert.deepEqual(new Set(seen), new Set([`00-${traceId}-${served?.spanId}-01`]));
    });
  });
}

test("inside the mesh a call without a trace begins none; at the edge it does", async () => {
  seen = [];
  await createCodedClient(ApiService, createMemoryTransport([routes], options)).getServerInfo({}, call);
  assert.deepEqual(seen, [undefined]);
  await createCodedClient(ApiService, transports["gRPC"]?.() ?? assert.fail()).getServerInfo({});
  assert.match(seen[1] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("what is done quietly leaves no span and hands the trace on all the same", async () => {
  const traceId = await asRoot(() =>
    quietly(async () => {
      seen.push(currentTraceparent());
      await createCodedClient(ApiService, createMemoryTransport([routes], options)).getServerInfo({}, call);
    }),
  );
  assert.match(seen[0] ?? "", new RegExp(traceId));
  const spans = await chain(traceId, 1);
  assert.deepEqual(
    spans.map((span) => span.name),
    ["root"],
  );
});

test("an event carries the trace that made it to its handlers, and no other", async () => {
  const bus = createMemoryBus({ clock, onHandlerError: (_delivery, error) => assert.ifError(error) });
  const event = {
    tenant: "acme",
    service: "api",
    noun: "token",
    verb: "created",
    time: new Date().toISOString(),
    actor: "user:ada",
    data: {},
  };
  const handled: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await bus.subscribe("xcf.event.>", {}, async ({ id }) => {
    handled.push(`${id} ${currentTraceparent()?.slice(3, 35)}`);
    if (handled.length === 2) resolve();
  });
  const traceId = await asRoot(async () => {
    const traced = encodeEvent({ ...event, id: "evt_1" });
    assert.deepEqual(eventHeaders(traced.data), traced.headers);
    await bus.publish("xcf.event.acme.api.token.created", traced);
    // Published from inside a trace, but not because of it: as a relay does with what lay there.
    const { data } = inTraceOf(undefined, () => encodeEvent({ ...event, id: "evt_2" }));
    await bus.publish("xcf.event.acme.api.token.created", { id: "evt_2", data, headers: eventHeaders(data) });
  });
  await promise;
  assert.deepEqual(handled, [`evt_1 ${traceId}`, "evt_2 undefined"]);
  assert.deepEqual(
    (await chain(traceId, 2)).map((span) => span.name),
    ["root", "process xcf.event.>"],
  );
  await bus.close();
});

test("log lines name the span they were written in", async () => {
  lines.length = 0;
  options.logger.warn("outside");
  const traceId = await asRoot(async () => options.logger.warn("inside"));
  const [outside = "", inside = ""] = lines;
  assert.doesNotMatch(outside, /trace_id/);
  assert.match(inside, new RegExp(`"trace_id":"${traceId}","span_id":"[0-9a-f]{16}"`));
});

test("no word of an error and no caller is in what was sent", () => {
  const sent = Buffer.concat(collector.bodies).toString("latin1");
  assert.ok(sent.includes("acme"));
  assert.ok(!sent.includes("hunter2") && !sent.includes("Bearer") && !sent.includes("xcf-caller"));
});

test("what is no traceparent begins afresh, whatever it is", () => {
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constant(`00-${"0".repeat(32)}-${"1".repeat(16)}-01`)), (text) => {
      assert.equal(inTraceOf(text, currentTraceparent), undefined);
    }),
  );
  fc.assert(
    fc.property(hex(32), hex(16), fc.constantFrom("00", "01"), (trace, span, flags) => {
      const given = `00-${trace}-${span}-${flags}`;
      const zero = /^0+$/.test(trace) || /^0+$/.test(span);
      assert.equal(inTraceOf(given, currentTraceparent), zero ? undefined : given);
    }),
  );
});

test("a collector that is away costs no call and holds up no end", async () => {
  const script = `
    import { startTelemetry } from "@xcloudflow/chassis/telemetry";
    import { inSpan } from "@xcloudflow/chassis/tracing";
    const telemetry = await startTelemetry({ service: "t", version: "0", otlpEndpoint: "http://127.0.0.1:9", prometheus: false });
    console.log(await inSpan("work", {}, async () => "done"));
    await telemetry.shutdown();`;
  const { stdout } = await runScript(script);
  assert.equal(stdout, "done\n");
});

test("a process that nobody asks for telemetry loads no SDK", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const { startTelemetry } = await import("@xcloudflow/chassis/telemetry");
    const { inSpan } = await import("@xcloudflow/chassis/tracing");
    const telemetry = await startTelemetry({ service: "t", version: "0", otlpEndpoint: "", prometheus: false });
    await inSpan("work", {}, async () => "done");
    await telemetry.shutdown();
    const packages = new Set(loaded.flatMap((url) => /@opentelemetry\\/([a-z-]+)/.exec(url)?.[1] ?? []));
    console.log([...packages].join());`;
  const { stdout } = await runScript(script);
  assert.equal(stdout, "api\n");
});

function runScript(script: string): Promise<{ stdout: string }> {
  return promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    timeout: 30_000,
  });
}
