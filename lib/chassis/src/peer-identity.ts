import { CodedError } from "@xcloudflow/model/coded-error";
import type { Caller } from "./caller.ts";

/** Who a process of the mesh is, by the certificate it connects with. */
export type PeerIdentity =
  | { readonly kind: "service"; readonly name: MeshService }
  /** `tenant` is `*` for a pool that works for every tenant. */
  | { readonly kind: "runner"; readonly tenant: string; readonly pool: string };

/** The services of the mesh. A certificate for any other name opens nothing. */
export const MESH_SERVICES = [
  "api",
  "audit",
  "orchestrator",
  "planner",
  "policy",
  "router",
  "secrets",
  "state",
] as const;
export type MeshService = (typeof MESH_SERVICES)[number];

/** Thrown when a peer's certificate names nobody of this mesh, or the peer speaks for somebody it may not speak for. */
export class PeerRefusedError extends CodedError {
  constructor(kind: "unknown" | "overreaching", what: string) {
    super(kind === "unknown" ? "PEER_UNKNOWN" : "PEER_REFUSED", kind === "unknown" ? "unauthenticated" : "forbidden", {
      what,
      hint: "a certificate has one URI: spiffe://<trust domain>/service/<name> or …/runner/<tenant or *>/<pool>",
    });
  }
}

/** As in a token's text: what a tenant may be called. */
const TENANT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const POOL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const SERVICES: ReadonlySet<string> = new Set(MESH_SERVICES);

/**
 * Reads the URI names of a certificate that has been verified against the mesh's own authority. An identity is exactly
 * one `spiffe:` URI in exactly its written form: no percent-encoding, port, query or dot segment is interpreted, so that
 * no two texts mean the same peer.
 *
 * @throws {PeerRefusedError} unless they name one member of `trustDomain`.
 */
export function readPeerIdentity(uris: readonly string[], trustDomain: string): PeerIdentity {
  const [uri, ...others] = uris;
  if (uri === undefined || others.length > 0)
    throw new PeerRefusedError("unknown", `the peer's certificate has ${uris.length} URI names instead of one`);
  const prefix = `spiffe://${trustDomain}/`;
  const path = uri.startsWith(prefix) ? uri.slice(prefix.length).split("/") : [];
  const [kind, first = "", second = "", ...rest] = path;
  if (kind === "service" && path.length === 2 && isMeshService(first)) return { kind, name: first };
  if (kind === "runner" && rest.length === 0 && (first === "*" || TENANT.test(first)) && POOL.test(second))
    return { kind, tenant: first, pool: second };
  throw new PeerRefusedError("unknown", `the peer's certificate names ${uri.slice(0, 256)}, nobody of ${trustDomain}`);
}

/**
 * In whose name a call is made. A service is believed, since it has authenticated whom it speaks for. A runner is itself
 * whatever it claims: of the caller it names only the tenant is taken, and only by a pool of every tenant.
 *
 * @param claimed the caller in the call's header, if there is one.
 * @throws {PeerRefusedError} when a service speaks for nobody, or a runner for a tenant that is not its own.
 */
export function callerOfPeer(peer: PeerIdentity, claimed: Caller | undefined): Caller {
  if (peer.kind === "service") {
    if (claimed === undefined)
      throw new PeerRefusedError("overreaching", `the call of service ${peer.name} names no caller`);
    return claimed;
  }
  const tenant = peer.tenant === "*" ? claimed?.tenant : peer.tenant;
  // `*` asks for whoever's task comes next; nothing else can be done in that name.
  if (tenant === undefined || !(TENANT.test(tenant) || (tenant === "*" && peer.tenant === "*")))
    throw new PeerRefusedError("overreaching", `the call of runner pool ${peer.pool} names no tenant`);
  if (claimed !== undefined && claimed.tenant !== tenant)
    throw new PeerRefusedError("overreaching", `a runner of tenant ${tenant} may not work for ${claimed.tenant}`);
  return { tenant, subject: `runner:${peer.pool}`, groups: [], roles: ["runner"], assurance: "service" };
}

function isMeshService(name: string): name is MeshService {
  return SERVICES.has(name);
}
