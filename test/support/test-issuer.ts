import { createServer } from "node:http";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

type Key = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];

/** An OpenID Connect issuer of its own server on loopback: discovery, a key set, and tokens signed with its keys. */
export interface TestIssuer {
  readonly url: string;
  /** Requests so far, by path. */
  readonly asked: Map<string, number>;
  /** While true every request is answered with 503. */
  down: boolean;
  /** What discovery answers instead of the truth. */
  discovery: Record<string, unknown>;
  /** A new key pair; it alone is published from now on. Answers its `kid`. */
  rotate(algorithm?: string): Promise<string>;
  /** Signed with the newest key, `iss` and `exp` set, unless given. */
  sign(
    claims: Readonly<Record<string, unknown>>,
    options?: { readonly kid?: string; readonly key?: Key },
  ): Promise<string>;
  /** The newest public key. */
  publicKey(): JWK;
  close(): Promise<void>;
}

export async function startTestIssuer(now: () => Date): Promise<TestIssuer> {
  const asked = new Map<string, number>();
  let count = 0;
  let current: { readonly kid: string; readonly algorithm: string; readonly key: Key; readonly jwk: JWK } | undefined;
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.set(path, (asked.get(path) ?? 0) + 1);
    if (issuer.down) return void response.writeHead(503).end();
    const body =
      path === "/.well-known/openid-configuration"
        ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys`, ...issuer.discovery }
        : path === "/keys"
          ? { keys: [current?.jwk] }
          : undefined;
    response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the issuer listens on no port");
  const newest = () => {
    if (current === undefined) throw new TypeError("the issuer has no key yet");
    return current;
  };
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    down: false,
    discovery: {},
    async rotate(algorithm = "RS256") {
      const { privateKey, publicKey } = await generateKeyPair(algorithm);
      const kid = `key-${++count}`;
      const jwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" };
      current = { kid, algorithm, key: privateKey, jwk };
      return kid;
    },
    sign(claims, { kid, key } = {}) {
      const mine = newest();
      const seconds = Math.floor(now().getTime() / 1_000);
      return new SignJWT({ iss: issuer.url, exp: seconds + 300, iat: seconds, ...claims })
        .setProtectedHeader({ alg: mine.algorithm, kid: kid ?? mine.kid })
        .sign(key ?? mine.key);
    },
    publicKey: () => newest().jwk,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await issuer.rotate();
  return issuer;
}
