import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its key in PEM. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** The authority of one mesh on one machine, for development: its key lives as long as the folder it writes to. */
export interface CertificateAuthority {
  readonly cert: string;
  /** @param uri `spiffe://…`, or undefined for a server that is no member. */
  issue(name: string, uri: string | undefined): Promise<IssuedCertificate>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
const VALID_DAYS = 365;

/** Makes a new authority. Members' certificates are for loopback addresses only. */
export async function createCertificateAuthority(now: Date): Promise<CertificateAuthority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const subject = "CN=XCloudFlow development authority";
  const validity = {
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + VALID_DAYS * DAY_MS),
  };
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name: subject,
      ...validity,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto,
  );
  return {
    cert: root.toString("pem"),
    async issue(name, uri) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const names: JsonGeneralName[] = [
        ...(uri === undefined ? [] : [{ type: "url" as const, value: uri }]),
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ];
      const certificate = await X509CertificateGenerator.create(
        {
          serialNumber: serial(),
          subject: `CN=${name}`,
          issuer: subject,
          ...validity,
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm: ALGORITHM,
          extensions: [
            new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
            new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
            new SubjectAlternativeNameExtension(names),
          ],
        },
        webcrypto,
      );
      return { cert: certificate.toString("pem"), key: await pemOf(own.privateKey) };
    },
  };
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
