import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its key in PEM. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** The authority of one mesh, for development and trying out. Whoever wants it to outlive the process keeps its key. */
export interface CertificateAuthority extends IssuedCertificate {
  /**
   * A certificate for `localhost` and 127.0.0.1, and the other names it is called by.
   *
   * @param uri `spiffe://…`, or undefined for a server that is no member.
   */
  issue(name: string, uri: string | undefined, hosts?: readonly string[]): Promise<IssuedCertificate>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
const MEMBER_DAYS = 365;
const AUTHORITY_DAYS = 3650;

/** Makes a new authority. */
export async function createCertificateAuthority(now: Date): Promise<CertificateAuthority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name: "CN=XCloudFlow development authority",
      ...validity(now, AUTHORITY_DAYS),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return authorityOf(root, keys.privateKey, now);
}

/** An authority that was made before, from its certificate and key in PEM. */
export async function openCertificateAuthority(
  { cert, key }: IssuedCertificate,
  now: Date,
): Promise<CertificateAuthority> {
  const der = Buffer.from(key.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
  const signing = await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
  return authorityOf(new X509Certificate(cert), signing, now);
}

async function authorityOf(
  root: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  now: Date,
): Promise<CertificateAuthority> {
  return {
    cert: root.toString("pem"),
    key: await pemOf(signingKey),
    async issue(name, uri, hosts = []) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const names: JsonGeneralName[] = [
        ...(uri === undefined ? [] : [{ type: "url" as const, value: uri }]),
        ...["localhost", ...hosts].map((value) => ({ type: "dns" as const, value })),
        { type: "ip", value: "127.0.0.1" },
      ];
      const certificate = await X509CertificateGenerator.create(
        {
          serialNumber: serial(),
          subject: `CN=${name}`,
          issuer: root.subject,
          ...validity(now, MEMBER_DAYS),
          publicKey: own.publicKey,
          signingKey,
          signingAlgorithm: ALGORITHM,
          extensions: [
            new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
            new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
            new SubjectAlternativeNameExtension(names),
            await SubjectKeyIdentifierExtension.create(own.publicKey, false, webcrypto),
            await AuthorityKeyIdentifierExtension.create(root.publicKey, false, webcrypto),
          ],
        },
        webcrypto,
      );
      return { cert: certificate.toString("pem"), key: await pemOf(own.privateKey) };
    },
  };
}

/** From a day ago: clocks of one mesh need not agree to the second. */
function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - DAY_MS), notAfter: new Date(now.getTime() + days * DAY_MS) };
}

function serial(): string {
  // The first bit stays clear: a serial number is positive.
  return `0${randomBytes(15).toString("hex").slice(1)}`;
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}
