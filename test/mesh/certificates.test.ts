import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTlsFiles, type TlsFiles, TlsFilesUnusableError } from "@xcloudflow/chassis/tls-files";
import { createCertificateAuthority, type IssuedCertificate } from "@xcloudflow/mesh/certificate-authority";
import { execa } from "execa";

const NOW = new Date();
const DAY_MS = 86_400_000;
const URI = "spiffe://xcloudflow/service/state";

describe("the development authority", () => {
  test("issues certificates that OpenSSL takes for clients and servers, each with its URI", async () => {
    const authority = await createCertificateAuthority(NOW);
    const { cert, key } = await authority.issue("state-1", URI);
    const folder = await mkdtemp(join(tmpdir(), "xcf-ca-"));
    try {
      await writeFile(join(folder, "ca.pem"), authority.cert);
      await writeFile(join(folder, "cert.pem"), cert);
      for (const purpose of ["sslserver", "sslclient"]) {
        const words = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", "cert.pem"];
        const { stdout } = await execa("openssl", words, { cwd: folder });
        assert.match(stdout, /cert\.pem: OK/);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
    const certificate = new X509Certificate(cert);
    assert.equal(certificate.subjectAltName, `URI:${URI}, DNS:localhost, IP Address:127.0.0.1`);
    assert.equal(certificate.ca, false);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
    assert.ok(certificate.validToDate.getTime() > NOW.getTime() + 300 * DAY_MS);
    const root = new X509Certificate(authority.cert);
    assert.ok(root.ca && certificate.checkIssued(root) && certificate.verify(root.publicKey));
  });

  test("gives every certificate a number of its own, and a server that is no member no URI", async () => {
    const authority = await createCertificateAuthority(NOW);
    const all = await Promise.all(Array.from({ length: 20 }, () => authority.issue("nats", undefined)));
    assert.equal(new Set(all.map(({ cert }) => new X509Certificate(cert).serialNumber)).size, 20);
    assert.doesNotMatch(new X509Certificate(all[0]?.cert ?? "").subjectAltName ?? "", /URI/);
  });
});

describe("a member's certificate files", () => {
  let folder: string;
  let ours: IssuedCertificate;
  let files: TlsFiles;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "xcf-tls-files-"));
    const authority = await createCertificateAuthority(NOW);
    ours = await authority.issue("state", URI);
    files = {
      cert: await file("cert", ours.cert),
      key: await file("key", ours.key),
      ca: await file("ca", authority.cert),
    };
  });
  after(() => rm(folder, { recursive: true }));

  async function file(name: string, text: string): Promise<string> {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  }
  async function refusal(changed: Partial<TlsFiles>, now = NOW): Promise<TlsFilesUnusableError> {
    const reason: unknown = await readTlsFiles({ ...files, ...changed }, now).then(
      () => assert.fail("the files should have been refused"),
      (error: unknown) => error,
    );
    assert.ok(reason instanceof TlsFilesUnusableError, String(reason));
    assert.deepEqual([reason.code, reason.category], ["TLS_FILES_UNUSABLE", "invalid"]);
    return reason;
  }

  test("are taken as they are when they belong together", async () => {
    const { cert, key } = await readTlsFiles(files, NOW);
    assert.deepEqual([cert.toString(), key.toString()], [ours.cert, ours.key]);
  });

  test("are named when they are missing, or hold something else", async () => {
    for (const name of ["cert", "key", "ca"] as const) {
      const missing = join(folder, `no-${name}`);
      const gone = await refusal({ [name]: missing });
      assert.deepEqual([gone.where, gone.what], [missing, "the file cannot be read"]);
      const wrong = await file(`wrong-${name}`, "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n");
      const odd = await refusal({ [name]: wrong });
      assert.equal(odd.where, wrong);
      assert.match(odd.what, name === "key" ? /no private key/ : /no certificate/);
      const empty = await file(`empty-${name}`, "");
      assert.equal((await refusal({ [name]: empty })).where, empty);
    }
  });

  test("are refused when key, certificate and authority do not belong together", async () => {
    const other = await createCertificateAuthority(NOW);
    const theirs = await other.issue("state", URI);
    const key = await file("their-key", theirs.key);
    const stranger = await refusal({ key });
    assert.deepEqual([stranger.where, stranger.what], [key, `the key is not the one of ${files.cert}`]);
    const ca = await file("their-ca", other.cert);
    const foreign = await refusal({ ca });
    assert.deepEqual([foreign.where, foreign.what], [files.cert, `the certificate was not issued by ${ca}`]);
  });

  test("are refused before and after their time", async () => {
    for (const days of [-2, 400]) {
      const error = await refusal({}, new Date(NOW.getTime() + days * DAY_MS));
      assert.equal(error.where, files.cert);
      assert.match(error.what, /valid from .* to .* only/);
    }
  });

  test("may name several authorities, the old one and its successor", async () => {
    const successor = await createCertificateAuthority(NOW);
    const old = await readFile(files.ca, "utf8");
    const both = await file("both", `${successor.cert}\n${old}`);
    await readTlsFiles({ ...files, ca: both }, NOW);
    const neither = await file("neither", `${successor.cert}\n${(await createCertificateAuthority(NOW)).cert}`);
    assert.match((await refusal({ ca: neither })).what, /not issued by/);
  });
});
