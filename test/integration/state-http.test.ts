import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";
import { forEachDatabase } from "../support/databases.ts";
import { asService, createStateFixture, lockInfo, type StateFixture, stateText } from "../support/state-fixture.ts";

forEachDatabase("Terraform's state backend", [stateSchema], ({ database }) => {
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

  const call = (method: string, options: Parameters<StateFixture["fetch"]>[1] = {}) =>
    state.fetch(method, { unit, ...options });
  const status = async (method: string, options: Parameters<StateFixture["fetch"]>[1] = {}) =>
    (await call(method, options)).status;
  const attempt = (fence: number, claims: Parameters<StateFixture["attemptToken"]>[0] = {}, expires?: number) =>
    state.attemptToken({ unit, fence, ...claims }, expires);
  const versions = async () =>
    (await state.rpc.listStateVersions({ unit }, asService)).versions.map(
      ({ serial, status }) => `${serial} ${status}`,
    );

  test("a state comes back byte for byte, an absent one is 204", async () => {
    assert.equal(await status("GET"), 204);
    const text = `{"serial": 1,\n\t"lineage":"a", "weird": 1.10, "n": 12345678901234567890 }\n\n`;
    assert.equal(await status("POST", { body: text }), 200);
    const response = await call("GET");
    assert.equal(await response.text(), text);
    assert.equal(response.headers.get("content-length"), String(text.length));
  });

  test("a region in the address arrives percent-encoded as well", async () => {
    assert.equal(await status("POST", { unit: "prod/shop%40eu-west-1/db", body: stateText(1) }), 200);
    assert.equal(await status("GET", { unit: "prod/shop@eu-west-1/db" }), 200);
  });

  test("a higher serial replaces the state, and every version stays", async () => {
    for (const serial of [1, 2, 5]) assert.equal(await status("POST", { body: stateText(serial) }), 200);
    assert.deepEqual(await versions(), ["5 current", "2 past", "1 past"]);
  });

  test("the same bytes again are accepted and make no version", async () => {
    await call("POST", { body: stateText(3) });
    assert.equal(await status("POST", { body: stateText(3) }), 200);
    assert.deepEqual(await versions(), ["3 current"]);
  });

  test("a lower serial, an equal one with other content, and another lineage are refused", async () => {
    await call("POST", { body: stateText(3) });
    for (const [body, code] of [
      [stateText(2), "STATE_SERIAL_NOT_HIGHER"],
      [stateText(3, "lineage-1", { other: "x" }), "STATE_SERIAL_NOT_HIGHER"],
      [stateText(9, "lineage-2"), "STATE_LINEAGE_DIFFERS"],
    ] as const) {
      const response = await call("POST", { body });
      assert.equal(response.status, 409);
      assert.equal(JSON.parse(await response.text()).code, code);
    }
    assert.equal(await (await call("GET")).text(), stateText(3));
  });

  test("bytes that are not what Content-MD5 says, are no state, or are too many, change nothing", async () => {
    const md5 = (text: string) => createHash("md5").update(text).digest("base64");
    assert.equal(await status("POST", { body: stateText(1), headers: { "content-md5": md5("else") } }), 400);
    assert.equal(await status("POST", { body: "" }), 400);
    assert.equal(await status("POST", { body: stateText(1).slice(0, -4) }), 400);
    assert.equal(await status("POST", { body: '{"serial":1}' }), 400);
    assert.equal(await status("GET"), 204);
    assert.equal(await status("POST", { body: stateText(1), headers: { "content-md5": md5(stateText(1)) } }), 200);
  });

  test("a held lock is answered with its holder's details and keeps others from writing", async () => {
    assert.equal(await status("LOCK", { body: lockInfo("one", "ada@laptop") }), 200);
    for (const [method, options] of [
      ["LOCK", { body: lockInfo("two") }],
      ["POST", { body: stateText(1), id: "two" }],
      ["POST", { body: stateText(1) }],
      ["DELETE", {}],
      ["UNLOCK", { body: lockInfo("two") }],
    ] as const) {
      const response = await call(method, options);
      assert.equal(response.status, 423, method);
      const holder = JSON.parse(await response.text());
      assert.deepEqual([holder.ID, holder.Who], ["one", "ada@laptop"]);
    }
    assert.equal(await status("POST", { body: stateText(1), id: "one" }), 200);
    assert.equal(await status("UNLOCK", { body: lockInfo("one") }), 200);
    assert.equal(await status("LOCK", { body: lockInfo("two") }), 200);
  });

  test("a repeated LOCK or UNLOCK whose answer was lost succeeds", async () => {
    for (const method of ["LOCK", "LOCK", "UNLOCK", "UNLOCK"])
      assert.equal(await status(method, { body: lockInfo("one") }), 200, method);
  });

  test("an UNLOCK without a body breaks the lock, and its holder's write is then refused", async () => {
    await call("LOCK", { body: lockInfo("one") });
    assert.equal(await status("UNLOCK"), 200);
    assert.equal(await status("POST", { body: stateText(1), id: "one" }), 409);
    await call("LOCK", { body: lockInfo("two") });
    assert.equal(await status("POST", { body: stateText(1), id: "one" }), 423);
  });

  test("of 100 LOCKs at once exactly one wins, and all others learn its id", async () => {
    const responses = await Promise.all(
      Array.from({ length: 100 }, (_, index) => call("LOCK", { body: lockInfo(`lock-${index}`) })),
    );
    const winners = responses.flatMap((response, index) => (response.status === 200 ? [`lock-${index}`] : []));
    assert.equal(winners.length, 1);
    for (const response of responses.filter(({ status }) => status !== 200)) {
      assert.equal(response.status, 423);
      assert.equal(JSON.parse(await response.text()).ID, winners[0]);
    }
  });

  test("of 30 writers of one serial exactly one wins", async () => {
    const statuses = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        status("POST", { body: stateText(1, "lineage-1", { writer: String(index) }) }),
      ),
    );
    assert.equal(statuses.filter((code) => code === 200).length, 1);
    assert.equal(statuses.filter((code) => code === 409).length, 29);
    assert.deepEqual(await versions(), ["1 current"]);
  });

  test("DELETE takes the current state away and keeps its versions", async () => {
    await call("POST", { body: stateText(4) });
    assert.equal(await status("DELETE"), 200);
    assert.equal(await status("GET"), 204);
    assert.deepEqual(await versions(), ["4 past"]);
    assert.equal(await status("POST", { body: stateText(1, "lineage-9") }), 200);
  });

  test("nobody without a token, with another tenant's, or without the permission gets anything", async () => {
    await call("POST", { body: stateText(1) });
    const bare = await fetch(state.stateUrl(unit));
    assert.equal(bare.status, 401);
    assert.match(bare.headers.get("www-authenticate") ?? "", /^Basic /);
    assert.equal(await status("GET", { password: "unknown" }), 401);
    assert.equal(await status("GET", { password: "a.b.c" }), 401);
    assert.equal(await status("GET", { password: "viewer" }), 403);
    assert.equal(await status("GET", { password: "reader" }), 200);
    for (const [method, options] of [
      ["POST", { body: stateText(2) }],
      ["DELETE", {}],
      ["LOCK", { body: lockInfo("x") }],
      ["UNLOCK", {}],
    ] as const) {
      assert.equal(await status(method, { ...options, password: "reader" }), 403, method);
      assert.equal(await status(method, { ...options, password: "stranger" }), 403, method);
    }
    assert.equal(
      await status("GET", { password: "stranger", tenant: "other" }),
      204,
      "the other tenant has no such state",
    );
  });

  test("what is no address of a unit is 404, an unknown method 400", async () => {
    for (const path of ["prod/shop", "prod/shop/db/more", "../etc/passwd", "prod/shop/DB", "%zz/a/b"]) {
      assert.equal((await state.fetch("GET", { unit: path })).status, 404, path);
    }
    assert.equal(await status("PATCH"), 400);
    assert.equal((await fetch(`${state.url}/elsewhere`)).status, 404);
  });

  test("a plan's token reads its own unit's state and does nothing else", async () => {
    await call("POST", { body: stateText(1) });
    const password = await attempt(1, { purpose: "plan" });
    assert.equal(await status("GET", { password }), 200);
    assert.equal(await status("GET", { password, unit: "prod/shop/another" }), 403);
    assert.equal(await status("POST", { password, body: stateText(2) }), 403);
    assert.equal(await status("LOCK", { password, body: lockInfo("p") }), 403);
    assert.equal(await status("UNLOCK", { password }), 403);
    assert.equal(await status("DELETE", { password }), 403);
  });

  test("an attempt's token opens no other tenant's path", async () => {
    assert.equal(await status("GET", { tenant: "other", password: await attempt(1) }), 403);
  });

  test("an attempt works while its fence stands; afterwards its write is quarantined and never current", async () => {
    const first = await attempt(1);
    assert.equal(await status("LOCK", { password: first, body: lockInfo("a1") }), 200);
    assert.equal(await status("POST", { password: first, body: stateText(1), id: "a1" }), 200);
    await state.rpc.raiseFence({ unit, fence: 2n }, asService);
    for (let repeat = 0; repeat < 2; repeat++) {
      const late = await call("POST", { password: first, body: stateText(2), id: "a1" });
      assert.equal(late.status, 412);
      assert.equal(JSON.parse(await late.text()).code, "FENCE_PASSED");
    }
    assert.equal(await status("UNLOCK", { password: first, body: lockInfo("a1") }), 412);
    assert.equal(await status("DELETE", { password: first, id: "a1" }), 412);
    assert.equal(await status("LOCK", { password: first, body: lockInfo("a1") }), 412);
    assert.deepEqual(await versions(), ["2 quarantined", "1 current"]);
    assert.equal(await (await call("GET")).text(), stateText(1));
  });

  test("a later attempt takes over the lock of the one before, never a person's", async () => {
    await call("LOCK", { password: await attempt(1), body: lockInfo("a1") });
    const second = await attempt(2);
    assert.equal(await status("LOCK", { password: second, body: lockInfo("a2") }), 200);
    assert.equal(await status("POST", { password: second, body: stateText(1), id: "a2" }), 200);
    assert.equal(await status("UNLOCK", { password: second, body: lockInfo("a2") }), 200);
    await call("LOCK", { body: lockInfo("human", "ada@laptop") });
    const third = await attempt(3);
    const refused = await call("LOCK", { password: third, body: lockInfo("a3") });
    assert.equal(refused.status, 423);
    assert.equal(JSON.parse(await refused.text()).Who, "ada@laptop");
    assert.equal(await status("UNLOCK", { password: third }), 423, "nor does it break it");
  });

  test("a write of an attempt whose token has expired is kept aside, and the token is good for nothing else", async () => {
    const password = await attempt(1, {}, -5_000);
    assert.equal(await status("GET", { password }), 403);
    assert.equal(await status("LOCK", { password, body: lockInfo("late") }), 403);
    assert.equal(await status("POST", { password, body: stateText(1) }), 412);
    assert.deepEqual(await versions(), ["1 quarantined"]);
    assert.equal(await status("GET"), 204);
  });

  test("every write and every person's read is an event that says who, and holds nothing of the state", async () => {
    await call("LOCK", { body: lockInfo("one") });
    await call("POST", { body: stateText(1, "lineage-1", { password: "canary-in-event" }), id: "one" });
    await call("GET", { password: "reader" });
    await call("UNLOCK", { body: lockInfo("one") });
    const events = (await state.events()).filter(({ subject }) => subject === unit);
    assert.deepEqual(
      events.map(({ type, actor }) => `${type} ${actor}`),
      [
        "engine-state.locked user:ada@example.com",
        "engine-state.written-by-hand user:ada@example.com",
        "engine-state.pulled user:rob@example.com",
        "engine-state.unlocked user:ada@example.com",
      ],
    );
    assert.ok(!JSON.stringify(events).includes("canary"));
  });

  test("a state of many pieces comes back unchanged, cut short it leaves nothing behind", async () => {
    const text = JSON.stringify({ version: 4, serial: 1, lineage: "big", blob: "0123456789abcdef".repeat(700_000) });
    assert.equal(await status("POST", { body: text }), 200);
    const back = Buffer.from(await (await call("GET")).arrayBuffer());
    assert.ok(back.equals(Buffer.from(text)));
    assert.equal(await status("POST", { body: text.slice(0, -2).replace('"serial":1', '"serial":2') }), 400);
    assert.deepEqual(await versions(), ["1 current"]);
  });
});
