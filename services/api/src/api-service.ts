import { type Caller, roleSchema } from "@xcloudflow/chassis/caller";
import type { Authenticate } from "@xcloudflow/chassis/edge-auth";
import type { ApiContext } from "./api-context.ts";
import {
  RunnerTokenLimitedError,
  TokenEnvironmentInvalidError,
  TokenExpiryInvalidError,
  TokenNotFoundError,
} from "./api-errors.ts";
import { apiEvent } from "./api-events.ts";
import { createRateLimiter } from "./rate-limiter.ts";
import { createTokenStore, type StoredToken } from "./token-store.ts";
import { formatToken, hashSecret, matchesHash, newSecret, parseToken } from "./token-text.ts";
import { looksLikeJwt } from "./verify-jwt.ts";

export interface NewToken {
  readonly role: string;
  /** Empty: the creator's. */
  readonly subject: string;
  readonly groups: readonly string[];
  /** Where the role holds; none, or not given: everywhere. */
  readonly environments?: readonly string[];
  readonly writeState: boolean;
  /** RFC 3339; empty: ninety days from now. */
  readonly expiresAt: string;
}

export interface IssuedToken {
  readonly id: string;
  /** Shown once; only its hash is kept. */
  readonly token: string;
}

export interface ApiService {
  /** @throws {TokenExpiryInvalidError | RunnerTokenLimitedError | TokenEnvironmentInvalidError} */
  createToken(creator: Caller, token: NewToken): Promise<IssuedToken>;
  listTokens(tenant: string): Promise<readonly StoredToken[]>;
  /** Revoking again is not an error. @throws {TokenNotFoundError} */
  revokeToken(caller: Caller, id: string): Promise<void>;
  /**
   * Who an API token or an issuer's JWT stands for; `undefined` when it is malformed, unknown, expired or revoked.
   *
   * @throws {RateExceededError} when the token or its tenant has no call left.
   * @throws {JwtRefusedError | IssuerUnavailableError} for a JWT that is not accepted.
   */
  readonly authenticate: Authenticate;
}

const ENVIRONMENT = /^[a-z0-9][a-z0-9-]{0,62}$/;
const DAY_MS = 24 * 60 * 60 * 1000;
const DEFAULT_DAYS = 90;
const LONGEST_DAYS = 366;
const DEFAULT_LIMIT = { burst: 400, perSecond: 100 };
const DEFAULT_TENANT_LIMIT = { burst: 2_000, perSecond: 500 };

export function createApiService(context: ApiContext): ApiService {
  const { clock, ids } = context;
  const store = createTokenStore(context.database);
  const limiter = createRateLimiter("token", context.rateLimit ?? DEFAULT_LIMIT);
  const tenants = createRateLimiter("tenant", context.tenantRateLimit ?? DEFAULT_TENANT_LIMIT);
  return {
    async createToken(creator, { role, subject, groups, environments = [], writeState, expiresAt }) {
      if (role === "runner" && environments.length > 0) throw new RunnerTokenLimitedError();
      const misnamed = environments.find((environment) => !ENVIRONMENT.test(environment));
      if (misnamed !== undefined) throw new TokenEnvironmentInvalidError(misnamed);
      const createdAt = clock.now();
      const id = ids.next("tok");
      const secret = newSecret();
      const token: StoredToken = {
        id,
        secretHash: hashSecret(secret),
        role: roleSchema.exclude(["service"]).parse(role),
        subject: subject === "" ? creator.subject : subject,
        groups: [...groups],
        environments: [...environments],
        writeState,
        createdBy: creator.subject,
        createdAt,
        expiresAt: readExpiry(expiresAt, createdAt),
        revokedAt: undefined,
      };
      await store.add(
        creator.tenant,
        token,
        apiEvent(context, "token.created", creator, { subject: id, data: describe(token) }),
      );
      return { id, token: formatToken({ tenant: creator.tenant, id: stem(id), secret }) };
    },
    listTokens: (tenant) => store.list(tenant),
    async revokeToken(caller, id) {
      const event = apiEvent(context, "token.revoked", caller, { subject: id, data: {} });
      if (!(await store.revoke(caller.tenant, id, clock.now(), event))) throw new TokenNotFoundError(id);
    },
    async authenticate(text) {
      if (context.authenticateJwt !== undefined && looksLikeJwt(text)) {
        const caller = await context.authenticateJwt(text);
        if (caller === undefined) return undefined;
        const now = clock.now();
        limiter.take(JSON.stringify([caller.tenant, caller.subject]), now);
        tenants.take(caller.tenant, now);
        return caller;
      }
      const parts = parseToken(text);
      if (parts === undefined) return undefined;
      const token = await store.find(parts.tenant, `tok_${parts.id}`);
      if (token === undefined || !matchesHash(parts.secret, token.secretHash)) return undefined;
      const now = clock.now();
      if (token.revokedAt !== undefined || token.expiresAt <= now) return undefined;
      limiter.take(token.id, now);
      tenants.take(parts.tenant, now);
      return callerFor(parts.tenant, token);
    },
  };
}

function callerFor(tenant: string, { role: name, subject, groups, environments, writeState }: StoredToken): Caller {
  const role = roleSchema.parse(name);
  const common = { tenant, subject, groups: [...groups], writeState };
  const assurance = "token";
  return environments.length === 0
    ? { ...common, assurance, roles: [role] }
    : { ...common, assurance, roles: [], bindings: [{ role, environments: [...environments] }] };
}

/** `tok_06e8…` without its prefix, which a token's text need not repeat. */
function stem(id: string): string {
  return id.replace(/^tok_/, "");
}

function readExpiry(text: string, now: Date): Date {
  if (text === "") return new Date(now.getTime() + DEFAULT_DAYS * DAY_MS);
  const at = new Date(text);
  if (Number.isNaN(at.getTime()) || !/^\d{4}-\d\d-\d\dT/.test(text))
    throw new TokenExpiryInvalidError(text, "is no RFC 3339 time");
  if (at <= now) throw new TokenExpiryInvalidError(text, "has passed");
  if (at.getTime() - now.getTime() > LONGEST_DAYS * DAY_MS)
    throw new TokenExpiryInvalidError(text, "is more than a year away");
  return at;
}

function describe({ role, subject, groups, environments, writeState, expiresAt }: StoredToken) {
  return { role, holder: subject, groups, environments, writeState, expiresAt: expiresAt.toISOString() };
}
