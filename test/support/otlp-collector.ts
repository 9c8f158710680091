import { createServer, type IncomingMessage } from "node:http";
import { gunzipSync } from "node:zlib";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { listen } from "@xcloudflow/chassis/listen";

/** A span as it came over the wire; ids in hex, times in nanoseconds. */
export interface CollectedSpan {
  /** `service.name` of the process that made it. */
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: ReadonlyMap<string, string | number | boolean>;
  /** 2 is an error. */
  readonly status: number;
}

export interface OtlpCollector {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** Every body as it came, for looking for what must not be in it. */
  readonly bodies: readonly Buffer[];
  /** Resolves with what `find` answers first; looked for again with every batch that comes. */
  waitFor<T>(find: (spans: readonly CollectedSpan[]) => T | undefined, milliseconds: number): Promise<T>;
  close(): Promise<void>;
}

/** An OpenTelemetry collector of OTLP over HTTP with protobuf bodies, written from the specification. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = [];
  const bodies: Buffer[] = [];
  const arrivals = new EventTarget();
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const refused = request.method !== "POST" || request.url !== "/v1/traces";
      if (!refused) {
        bodies.push(body);
        spans.push(...readRequest(body));
      }
      response.writeHead(refused ? 404 : 200, { "content-type": "application/x-protobuf" });
      response.end();
      arrivals.dispatchEvent(new Event("batch"));
    });
  });
  const { url } = await listen(server, { host: "127.0.0.1", port: 0 });
  return {
    url,
    spans,
    bodies,
    async waitFor(find, milliseconds) {
      const deadline = AbortSignal.timeout(milliseconds);
      for (;;) {
        const found = find(spans);
        if (found !== undefined) return found;
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const stop = (): void => reject(deadline.reason);
        deadline.addEventListener("abort", stop, { once: true });
        arrivals.addEventListener("batch", () => resolve(), { once: true });
        try {
          await promise;
        } finally {
          deadline.removeEventListener("abort", stop);
        }
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  const body = Buffer.concat(parts);
  return request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
}

type Field = bigint | number | Uint8Array;

/** A message's fields by number, in order; lengths are not looked into. */
function readFields(bytes: Uint8Array): Map<number, Field[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Field[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = readField(reader, number, type);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function readField(reader: BinaryReader, number: number, type: WireType): Field {
  if (type === WireType.Varint) return BigInt(reader.uint64());
  if (type === WireType.Bit64) return BigInt(reader.fixed64());
  if (type === WireType.Bit32) return reader.fixed32();
  if (type === WireType.LengthDelimited) return reader.bytes();
  throw new Error(`field ${number} has a wire type that OTLP does not use: ${type}`);
}

function messages(bytes: Uint8Array, number: number): Uint8Array[] {
  return (readFields(bytes).get(number) ?? []).filter((field) => field instanceof Uint8Array);
}

function bytesOf(fields: Map<number, Field[]>, number: number): Uint8Array {
  const value = fields.get(number)?.at(-1);
  return value instanceof Uint8Array ? value : new Uint8Array();
}

function numberOf(fields: Map<number, Field[]>, number: number): bigint {
  const value = fields.get(number)?.at(-1);
  return typeof value === "bigint" ? value : BigInt(typeof value === "number" ? value : 0);
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function readRequest(body: Uint8Array): CollectedSpan[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const [resource = new Uint8Array()] = messages(resourceSpans, 1);
    const service = String(readAttributes(messages(resource, 1)).get("service.name") ?? "");
    return messages(resourceSpans, 2).flatMap((scopeSpans) =>
      messages(scopeSpans, 2).map((span) => readSpan(span, service)),
    );
  });
}

function readSpan(bytes: Uint8Array, service: string): CollectedSpan {
  const fields = readFields(bytes);
  return {
    service,
    traceId: hex(bytesOf(fields, 1)),
    spanId: hex(bytesOf(fields, 2)),
    parentSpanId: hex(bytesOf(fields, 4)),
    name: text(bytesOf(fields, 5)),
    kind: Number(numberOf(fields, 6)),
    start: numberOf(fields, 7),
    end: numberOf(fields, 8),
    attributes: readAttributes(messages(bytes, 9)),
    status: Number(numberOf(readFields(bytesOf(fields, 15)), 3)),
  };
}

function readAttributes(entries: readonly Uint8Array[]): Map<string, string | number | boolean> {
  const attributes = new Map<string, string | number | boolean>();
  for (const entry of entries) {
    const fields = readFields(entry);
    const value = readFields(bytesOf(fields, 2));
    const key = text(bytesOf(fields, 1));
    if (value.has(1)) attributes.set(key, text(bytesOf(value, 1)));
    else if (value.has(2)) attributes.set(key, numberOf(value, 2) === 1n);
    else if (value.has(3)) attributes.set(key, Number(BigInt.asIntN(64, numberOf(value, 3))));
  }
  return attributes;
}
