import assert from "node:assert/strict";
import { test } from "node:test";
import { SecretText } from "@xcloudflow/model/secret-text";
import fc from "fast-check";
import { createLogger, formatLogLine } from "./logger.ts";

const at = new Date("2026-01-02T03:04:05.678Z");

test("writes one JSON line per event from the level on", () => {
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    now: () => at,
    write: (line) => void lines.push(line),
    fields: { service: "api" },
  });
  logger.debug("quiet");
  logger.with({ tenant: "t" }).warn("loud", { size: 3n, since: at, bytes: new Uint8Array(4) });
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      {
        time: at.toISOString(),
        level: "warn",
        message: "loud",
        service: "api",
        tenant: "t",
        size: "3",
        since: at.toISOString(),
        bytes: "[4 bytes]",
      },
    ],
  );
});

test("prints no secret, whether typed or under a telling name", () => {
  const line = formatLogLine(at, "info", "m", {
    value: new SecretText("hunter2"),
    nested: [{ deeper: { password: "hunter2" } }],
    authorization: "Bearer hunter2",
    apiToken: "hunter2",
    tokenId: "tok_1",
    error: new Error("outer", { cause: { privateKey: "hunter2" } }),
  });
  assert.doesNotMatch(line, /hunter2/);
  assert.match(line, /tok_1/);
});

test("prints anything on one line without throwing", () => {
  const circular: Record<string, unknown> = { a: 1 };
  circular["self"] = circular;
  assert.match(formatLogLine(at, "info", "m", { circular }), /\[circular\]/);
  assert.match(formatLogLine(at, "info", "m", { message: "taken", level: "taken" }), /"level":"info","message":"m"/);
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true })),
      (fields) => {
        const line = formatLogLine(at, "error", "m", fields);
        assert.equal(line.includes("\n"), false);
        JSON.parse(line);
      },
    ),
  );
});
