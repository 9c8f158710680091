import type { Clock } from "@xcloudflow/chassis/clock";
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { IssuerUnavailableError } from "./issuer-errors.ts";
import { isSafeIssuerUrl } from "./issuer-settings.ts";

export interface IssuerKeysOptions {
  /** The issuer's URL; discovery is below it. */
  readonly issuer: string;
  readonly fetch: typeof fetch;
  readonly clock: Pick<Clock, "now">;
  /** Keys are read again after this long; default ten minutes. */
  readonly maxAgeMs?: number;
  /** While reading fails, keys this old still count; default an hour. */
  readonly staleMs?: number;
  /** The issuer is asked no oftener than this, whatever tokens come; default thirty seconds. */
  readonly cooldownMs?: number;
}

const TIMEOUT_MS = 5_000;
const MOST_BYTES = 512 * 1024;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(200) });

/**
 * The public keys of one issuer, found by OpenID Connect discovery and kept. A key that is not known is looked for once:
 * the issuer may have rotated. Many tokens with invented keys make no more requests than one.
 */
export function createIssuerKeys(options: IssuerKeysOptions): JWTVerifyGetKey {
  const { issuer, clock, maxAgeMs = 600_000, staleMs = 3_600_000, cooldownMs = 30_000 } = options;
  let known: { readonly keys: ReturnType<typeof createLocalJWKSet>; readonly at: number } | undefined;
  let pending: Promise<void> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;

  const age = (since: number): number => clock.now().getTime() - since;

  async function refresh(): Promise<void> {
    if (pending === undefined) {
      if (age(askedAt) < cooldownMs) return;
      askedAt = clock.now().getTime();
      pending = readKeys(options)
        .then(
          (set) => {
            known = { keys: createLocalJWKSet(set), at: clock.now().getTime() };
            failure = undefined;
          },
          (error: unknown) => {
            failure = error;
          },
        )
        .finally(() => {
          pending = undefined;
        });
    }
    await pending;
  }

  return async (header, token) => {
    if (known === undefined || age(known.at) >= maxAgeMs) await refresh();
    if (known === undefined || age(known.at) >= staleMs) throw new IssuerUnavailableError(issuer, failure);
    const tried = known;
    try {
      return await tried.keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await refresh();
      if (known === tried) throw error;
      return await known.keys(header, token);
    }
  };
}

async function readKeys(options: IssuerKeysOptions): Promise<JSONWebKeySet> {
  const { issuer } = options;
  const found = discoverySchema.parse(
    await readJson(options, `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`),
  );
  if (found.issuer !== issuer) throw new TypeError(`discovery answers for the issuer ${found.issuer}`);
  if (!isSafeIssuerUrl(found.jwks_uri)) throw new TypeError("jwks_uri is not an https URL");
  return keySetSchema.parse(await readJson(options, found.jwks_uri));
}

/** A redirect is an error: it could lead anywhere, into the inner network too. */
async function readJson({ fetch: get }: IssuerKeysOptions, url: string): Promise<unknown> {
  const response = await get(url, {
    redirect: "error",
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok || response.body === null) throw new TypeError(`${url} answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > MOST_BYTES) throw new TypeError(`${url} answers more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
