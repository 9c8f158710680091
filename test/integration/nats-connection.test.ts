import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { NatsConfig } from "@xcloudflow/chassis/nats-connection";
import {
  NatsFileUnreadableError,
  NatsForbiddenError,
  NatsTlsError,
  NatsUnreachableError,
} from "@xcloudflow/chassis/nats-errors";
import { type Certificates, makeCertificates } from "../support/certificates-cli.ts";
import { requireEngine } from "../support/engines.ts";
import { connectTo } from "../support/nats.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server-cli.ts";

const missing = requireEngine("nats-server").skip || requireEngine("openssl").skip;

describe("a connection to NATS", { skip: missing }, () => {
  let ours: Certificates;
  let server: NatsServer;
  let plain: NatsServer;

  before(async () => {
    ours = makeCertificates();
    const tls = `tls { cert_file: "${ours.cert}", key_file: "${ours.key}", ca_file: "${ours.ca}", verify: true }`;
    server = await startNatsServer(`${tls}\nauthorization { user: "mesh", password: "secret" }`, "tls");
    plain = await startNatsServer();
  });
  after(async () => {
    await server.stop();
    await plain.stop();
  });

  const config = (): Partial<NatsConfig> => ({
    XCF_NATS_CA: ours.ca,
    XCF_NATS_CERT: ours.cert,
    XCF_NATS_KEY: ours.key,
    XCF_NATS_USER: "mesh",
    XCF_NATS_PASSWORD: "secret",
  });

  test("is made under mutual TLS with a password", async () => {
    const connection = await connectTo(server.url, config());
    await connection.flush();
    await connection.close();
  });

  test("says which of address, authority, certificate, password or file is wrong", async () => {
    const others = makeCertificates();
    const table: [string, string, Partial<NatsConfig>, new (...args: never[]) => Error][] = [
      ["nobody listens", "nats://127.0.0.1:1", {}, NatsUnreachableError],
      ["another authority", server.url, { ...config(), XCF_NATS_CA: others.ca }, NatsTlsError],
      [
        "no certificate",
        server.url,
        { XCF_NATS_CA: ours.ca, XCF_NATS_USER: "mesh", XCF_NATS_PASSWORD: "secret" },
        NatsTlsError,
      ],
      [
        "a foreign certificate",
        server.url,
        { ...config(), XCF_NATS_CERT: others.cert, XCF_NATS_KEY: others.key },
        NatsTlsError,
      ],
      ["a key of another", server.url, { ...config(), XCF_NATS_KEY: others.key }, NatsTlsError],
      ["no TLS there", plain.url, config(), NatsTlsError],
      ["a wrong password", server.url, { ...config(), XCF_NATS_PASSWORD: "guess" }, NatsForbiddenError],
      ["no such file", server.url, { ...config(), XCF_NATS_CA: "/nowhere/ca.pem" }, NatsFileUnreadableError],
      ["no such credentials", server.url, { ...config(), XCF_NATS_CREDS: "/nowhere/creds" }, NatsFileUnreadableError],
    ];
    for (const [what, url, settings, expected] of table)
      await assert.rejects(
        connectTo(url, settings),
        (error) => {
          assert.ok(error instanceof expected, `${what}: ${String(error)}`);
          assert.doesNotMatch(String(error), /secret|guess/);
          return true;
        },
        what,
      );
  });
});
