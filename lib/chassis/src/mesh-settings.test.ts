import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { ConfigInvalidError, readConfigs } from "./config.ts";
import { listenAddress, memberSettings, placeList, placeSettings, placesOf, runnerSettings } from "./mesh-settings.ts";

const GOOD = {
  XCF_LISTEN: "127.0.0.1:8443",
  XCF_TLS_CERT: "/tls/tls.crt",
  XCF_TLS_KEY: "/tls/tls.key",
  XCF_TLS_CA: "/tls/ca.crt",
  XCF_STATE_URL: "https://state-0:8443, https://state-1:8443",
};
const own = z.object({ XCF_DATABASE_URL: z.string().regex(/^postgres:/, "must be postgres://…") });

function problemsOf(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfigs(environment, z.object(memberSettings), z.object(placeSettings(["state"])), own);
  } catch (error) {
    assert.ok(error instanceof ConfigInvalidError);
    return error.problems;
  }
  return [];
}

test("settings of all groups are read at once, with what they leave out", () => {
  const [member, places] = readConfigs(
    { ...GOOD, XCF_DATABASE_URL: "postgres://x" },
    z.object(memberSettings),
    z.object(placeSettings(["state"])),
    own,
  );
  assert.deepEqual(member.XCF_LISTEN, { host: "127.0.0.1", port: 8443 });
  assert.deepEqual(
    [member.XCF_TRUST_DOMAIN, member.XCF_LOG, member.XCF_PROBE_LISTEN],
    ["xcloudflow", "info", undefined],
  );
  assert.deepEqual(placesOf(places), { state: ["https://state-0:8443", "https://state-1:8443"] });
});

test("every wrong setting is named at once, the process's own among them", () => {
  assert.deepEqual(problemsOf({}), [
    "XCF_LISTEN is not set",
    "XCF_TLS_CERT is not set",
    "XCF_TLS_KEY is not set",
    "XCF_TLS_CA is not set",
    "XCF_STATE_URL is not set",
    "XCF_DATABASE_URL is not set",
  ]);
  const wrong = {
    ...GOOD,
    XCF_LISTEN: "8443",
    XCF_PROBE_LISTEN: "x:99999",
    XCF_LOG: "loud",
    XCF_STATE_URL: "state:8443",
  };
  assert.deepEqual(
    problemsOf({ ...wrong, XCF_DATABASE_URL: "mysql://x", XCF_PARENT_PIPE: "yes" }).map((text) => text.split(":")[0]),
    ["XCF_LISTEN", "XCF_PROBE_LISTEN", "XCF_LOG", "XCF_PARENT_PIPE", "XCF_STATE_URL", "XCF_DATABASE_URL"],
  );
});

test("what a wrong setting held is never repeated", () => {
  const names = ["XCF_LISTEN", "XCF_PROBE_LISTEN", "XCF_LOG", "XCF_PARENT_PIPE", "XCF_STATE_URL", "XCF_DATABASE_URL"];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.stringMatching(/^[0-9a-f]{8,20}$/), (name, secret) => {
      const problems = problemsOf({ ...GOOD, XCF_DATABASE_URL: "postgres://x", [name]: `canary${secret}` });
      assert.equal(problems.length, 1, name);
      assert.ok(!problems.join().includes(secret));
    }),
  );
});

test("an address to listen on is a host and a port", () => {
  assert.deepEqual(listenAddress.parse("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(listenAddress.parse("0.0.0.0:65535"), { host: "0.0.0.0", port: 65535 });
  for (const text of ["", ":80", "host:", "host:65536", "host:-1", "host:http"])
    assert.equal(listenAddress.safeParse(text).success, false, text);
});

test("a place is https with nothing behind it", () => {
  for (const text of ["http://x:1", "https://x/y", "https://x?y", "https://x,", "x", "https://u:p@x:1"])
    assert.equal(placeList.safeParse(text).success, false, text);
  assert.deepEqual(placeList.parse("https://x"), ["https://x"]);
});

test("a runner need not listen", () => {
  const { XCF_LISTEN, ...rest } = GOOD;
  assert.ok(XCF_LISTEN && z.object(runnerSettings).safeParse(rest).success);
});
