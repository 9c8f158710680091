import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { MeshService } from "./peer-identity.ts";

/** Thrown when two members of the mesh do not take each other's certificates; trying again does not help. */
export class PeerUntrustedError extends CodedError {
  constructor(service: string, cause?: unknown) {
    super("PEER_UNTRUSTED", "unavailable", {
      what: `${service} and this process do not trust each other's certificates (${reasonOf(cause)})`,
      where: `XCF_${service.toUpperCase()}_URL`,
      hint: "both must be valid and of one authority; issue them again, docs/deploying.md says how",
      cause,
    });
  }
}

/** Thrown inside a handshake when a member answers that is not the service that was called. */
export class PeerImpostorError extends CodedError {
  constructor(service: MeshService, names: string) {
    super("PEER_IMPOSTOR", "unauthenticated", {
      what: `who answers is not ${service}: its certificate names ${names === "" ? "nobody" : names.slice(0, 256)}`,
      hint: `check XCF_${service.toUpperCase()}_URL; the certificate must name spiffe://<trust domain>/service/${service}`,
    });
  }
}

/**
 * TLS's check of a server, for calls to one service: besides the host's name its certificate has the service's identity,
 * since every member of the mesh has a certificate of the same authority, workers too.
 */
export function verifyService(service: MeshService): (host: string, certificate: PeerCertificate) => Error | undefined {
  const identity = new RegExp(`^spiffe://[^/]+/service/${service}$`);
  return (host, certificate) => {
    const problem = checkServerIdentity(host, certificate);
    if (problem !== undefined) return problem;
    const names = readUriNames(certificate.subjectaltname ?? "");
    return names.length === 1 && identity.test(names[0] ?? "")
      ? undefined
      : new PeerImpostorError(service, names.join(" "));
  };
}

/** `subjectAltName` as OpenSSL prints it: `URI:spiffe://…, DNS:…`; names with commas or quotes are quoted, and never ours. */
export function readUriNames(subjectAltName: string): readonly string[] {
  return subjectAltName.split(", ").flatMap((name) => (name.startsWith("URI:") ? [name.slice("URI:".length)] : []));
}

const TLS_CODE = /^ERR_SSL_|^ERR_TLS_|^CERT_|_CERT|_CERTIFICATE|^UNABLE_TO_|^PEER_IMPOSTOR$/;

/** Whether what ended a connection is a certificate of either side, and not the network. */
export function isTrustProblem(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ("code" in at && typeof at.code === "string" && TLS_CODE.test(at.code)) return true;
  return false;
}

/** What OpenSSL said last, without the place in its sources. */
function reasonOf(cause: unknown): string {
  if (cause === undefined) return "it ends each connection at once, and its log says why";
  let text = "";
  for (let at: unknown = cause; at instanceof Error; at = at.cause) text = at.message;
  return /SSL routines:[^:]*:([^:]+)/.exec(text)?.[1] ?? text.trim();
}
