import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Caller, roleSchema, serviceCaller } from "./caller.ts";
import { callerOfPeer, MESH_SERVICES, PeerRefusedError, readPeerIdentity } from "./peer-identity.ts";

const DOMAIN = "mesh.example.com";
const tenants = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const pools = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const callers: fc.Arbitrary<Caller> = fc.record({
  tenant: tenants,
  subject: fc.string({ minLength: 1 }),
  groups: fc.array(fc.string()),
  roles: fc.subarray([...roleSchema.options]),
  assurance: fc.constantFrom("asserted", "token", "service"),
  writeState: fc.boolean(),
});
const refused = (code: string) => (error: unknown) => error instanceof PeerRefusedError && error.code === code;

describe("the identity of a peer", () => {
  test("is a known service, or a runner's tenant and pool", () => {
    for (const name of MESH_SERVICES)
      assert.deepEqual(readPeerIdentity([`spiffe://${DOMAIN}/service/${name}`], DOMAIN), { kind: "service", name });
    fc.assert(
      fc.property(fc.oneof(tenants, fc.constant("*")), pools, (tenant, pool) => {
        assert.deepEqual(readPeerIdentity([`spiffe://${DOMAIN}/runner/${tenant}/${pool}`], DOMAIN), {
          kind: "runner",
          tenant,
          pool,
        });
      }),
    );
  });

  test("is nothing else, however alike it looks", () => {
    const good = `spiffe://${DOMAIN}/service/state`;
    for (const uris of [
      [],
      [good, good],
      [good, `spiffe://${DOMAIN}/runner/*/default`],
      [""],
      [`spiffe://${DOMAIN}`],
      [`spiffe://${DOMAIN}/`],
      [`spiffe://${DOMAIN}/service`],
      [`spiffe://${DOMAIN}/service/`],
      [`spiffe://${DOMAIN}/service/console`],
      [`spiffe://${DOMAIN}/service/State`],
      [`spiffe://${DOMAIN}/service/state/`],
      [`spiffe://${DOMAIN}/service/state/more`],
      [`spiffe://${DOMAIN}//service/state`],
      [`spiffe://${DOMAIN}/service/%73tate`],
      [`spiffe://${DOMAIN}/x/../service/state`],
      [`spiffe://${DOMAIN}/service/state?x`],
      [`spiffe://${DOMAIN}/service/state#x`],
      [`spiffe://${DOMAIN}:443/service/state`],
      [`spiffe://user@${DOMAIN}/service/state`],
      [`spiffe://${DOMAIN}.evil.example/service/state`],
      [`spiffe://evil.example/${DOMAIN}/service/state`],
      [`spiffe://evil.${DOMAIN}/service/state`],
      [`SPIFFE://${DOMAIN}/service/state`],
      [`https://${DOMAIN}/service/state`],
      [`${good}\n`],
      [` ${good}`],
      [`spiffe://${DOMAIN}/service/__proto__`],
      [`spiffe://${DOMAIN}/service/constructor`],
      [`spiffe://${DOMAIN}/runner/default`],
      [`spiffe://${DOMAIN}/runner//default`],
      [`spiffe://${DOMAIN}/runner/default/`],
      [`spiffe://${DOMAIN}/runner/**/default`],
      [`spiffe://${DOMAIN}/runner/default/*`],
      [`spiffe://${DOMAIN}/runner/default/a/b`],
      [`spiffe://${DOMAIN}/runner/../default`],
      [`spiffe://${DOMAIN}/admin/default/root`],
    ]) {
      assert.throws(() => readPeerIdentity(uris, DOMAIN), refused("PEER_UNKNOWN"), JSON.stringify(uris));
    }
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => {
        assert.throws(() => readPeerIdentity([url.replace(/^https?/, "spiffe")], DOMAIN), PeerRefusedError);
      }),
    );
  });
});

describe("the caller of a peer", () => {
  test("is whom a service speaks for, and nobody when it does not say", () => {
    fc.assert(
      fc.property(fc.constantFrom(...MESH_SERVICES), callers, (name, claimed) => {
        assert.deepEqual(callerOfPeer({ kind: "service", name }, claimed), claimed);
        assert.throws(() => callerOfPeer({ kind: "service", name }, undefined), refused("PEER_REFUSED"));
      }),
    );
  });

  test("is the runner itself in its own tenant, whatever it claims to be", () => {
    fc.assert(
      fc.property(tenants, pools, callers, (tenant, pool, claimed) => {
        const expected = { tenant, subject: `runner:${pool}`, groups: [], roles: ["runner"], assurance: "service" };
        const peer = { kind: "runner", tenant, pool } as const;
        assert.deepEqual(callerOfPeer(peer, undefined), expected);
        assert.deepEqual(callerOfPeer(peer, { ...claimed, tenant }), expected);
        if (claimed.tenant !== tenant) assert.throws(() => callerOfPeer(peer, claimed), refused("PEER_REFUSED"));
      }),
    );
  });

  test("is a runner of the tenant that is named, for a pool of every tenant", () => {
    fc.assert(
      fc.property(pools, callers, (pool, claimed) => {
        assert.deepEqual(callerOfPeer({ kind: "runner", tenant: "*", pool }, claimed), {
          tenant: claimed.tenant,
          subject: `runner:${pool}`,
          groups: [],
          roles: ["runner"],
          assurance: "service",
        });
      }),
    );
    const everywhere = { kind: "runner", tenant: "*", pool: "default" } as const;
    assert.throws(() => callerOfPeer(everywhere, undefined), refused("PEER_REFUSED"));
    // Whoever's task comes next, which only such a pool may ask for.
    const next = { ...serviceCaller("t", "state"), tenant: "*" };
    assert.equal(callerOfPeer(everywhere, next).tenant, "*");
    assert.throws(() => callerOfPeer({ ...everywhere, tenant: "acme" }, next), refused("PEER_REFUSED"));
    for (const tenant of ["", "a/b", "a b", "**"])
      assert.throws(
        () => callerOfPeer(everywhere, { ...serviceCaller("t", "state"), tenant }),
        refused("PEER_REFUSED"),
        tenant,
      );
  });
});
