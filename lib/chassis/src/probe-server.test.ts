import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressUnavailableError } from "./listen.ts";
import { serveProbes } from "./probe-server.ts";

const loopback = { host: "127.0.0.1", port: 0 };

test("a process is alive from the start, and ready when nothing speaks against it", async () => {
  let reason: string | undefined = "waiting for the database";
  const probes = await serveProbes({ ...loopback, notReady: () => reason });
  const ask = async (path: string, method = "GET"): Promise<[number, string]> => {
    const answer = await fetch(`${probes.address.url}${path}`, { method });
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await ask("/livez"), [200, "ok\n"]);
  assert.deepEqual(await ask("/readyz"), [503, "waiting for the database\n"]);
  reason = undefined;
  assert.deepEqual(await ask("/readyz"), [200, "ok\n"]);
  assert.deepEqual(await ask("/readyz?verbose"), [200, "ok\n"]);
  assert.deepEqual(await ask("/metrics"), [404, "not found\n"]);
  assert.deepEqual(await ask("/terraform/x"), [404, "not found\n"]);
  await probes.close();
  await assert.rejects(fetch(`${probes.address.url}/livez`));
});

test("metrics are whoever's they are said to be", async () => {
  const probes = await serveProbes({
    ...loopback,
    notReady: () => undefined,
    metrics: (_, response) => void response.end("# TYPE up gauge\n"),
  });
  assert.equal(await (await fetch(`${probes.address.url}/metrics`)).text(), "# TYPE up gauge\n");
  await assert.rejects(
    serveProbes({ ...loopback, port: probes.address.port, notReady: () => undefined }),
    AddressUnavailableError,
  );
  await probes.close();
});
