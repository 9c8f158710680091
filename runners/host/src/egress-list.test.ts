import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isLocalAddress, mayLeave, parseEgressTarget } from "./egress-list.ts";

const list = ["registry.opentofu.org:443", "*.amazonaws.com:443", "10.0.0.5:8443", "[2001:db8::1]:443"].map((text) => {
  const target = parseEgressTarget(text);
  assert.ok(target, text);
  return target;
});
const may = (host: string, port = 443): boolean => mayLeave(list, { host, port });

test("what is on the list may be reached, on its port alone", () => {
  for (const host of ["registry.opentofu.org", "sts.amazonaws.com", "a.b.amazonaws.com", "2001:db8::1"])
    assert.deepEqual([may(host), may(host, 80)], [true, false], host);
  assert.ok(may("10.0.0.5", 8443));
});

test("names that only look like those on the list may not", () => {
  for (const host of [
    "amazonaws.com",
    "evilamazonaws.com",
    "amazonaws.com.evil.example",
    "registry.opentofu.org.",
    "x.registry.opentofu.org",
    "169.254.169.254",
  ])
    assert.equal(may(host), false, host);
});

test("what is no host and port is no target", () => {
  for (const text of [
    "",
    "host",
    "host:0",
    "host:65536",
    "*:443",
    "*.:443",
    "*.1.2.3.4:443",
    "a b:1",
    "http://a:1",
    "a:443/x",
  ])
    assert.equal(parseEgressTarget(text), undefined, text);
});

test("an empty list lets nobody out", () => {
  fc.assert(
    fc.property(fc.domain(), fc.integer({ min: 1, max: 65_535 }), (host, port) => !mayLeave([], { host, port })),
  );
});

test("the machine and its metadata service are local in every writing", () => {
  for (const address of [
    "127.0.0.1",
    "127.9.9.9",
    "169.254.169.254",
    "0.0.0.0",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
  ])
    assert.equal(isLocalAddress(address), true, address);
  for (const mapped of ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe"])
    assert.equal(isLocalAddress(mapped), true, mapped);
  for (const address of ["10.0.0.1", "192.0.2.1", "2001:db8::1"]) assert.equal(isLocalAddress(address), false, address);
});
