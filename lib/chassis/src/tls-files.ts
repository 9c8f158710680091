import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a certificate, its key or the authority's certificate cannot be read or do not belong together. */
export class TlsFilesUnusableError extends CodedError {
  constructor(where: string, what: string, hint: string, cause?: unknown) {
    super("TLS_FILES_UNUSABLE", "invalid", { where, what, hint, cause });
  }
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** The authority that every member's certificate comes from; while it changes, the old one and the new one. */
  readonly ca: string;
}

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/**
 * Reads a mesh member's certificate, and says now what TLS would say in every later handshake.
 *
 * @throws {TlsFilesUnusableError} when a file is missing or no PEM, the key is another certificate's, the authority did
 * not issue it, or it is not valid at `now`.
 */
export async function readTlsFiles(files: TlsFiles, now: Date): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([files.cert, files.key, files.ca].map(readPem));
  if (cert === undefined || key === undefined || ca === undefined) throw new Error("three paths give three files");
  const certificate = parse(files.cert, "certificate", () => new X509Certificate(cert));
  const authorities = parse(files.ca, "certificate", () => readAuthorities(ca));
  const privateKey = parse(files.key, "private key", () => createPrivateKey(key));
  const reissue = "issue the member's certificate again; docs/deploying.md says how";
  if (!certificate.checkPrivateKey(privateKey))
    throw new TlsFilesUnusableError(files.key, `the key is not the one of ${files.cert}`, reissue);
  if (!authorities.some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey)))
    throw new TlsFilesUnusableError(files.cert, `the certificate was not issued by ${files.ca}`, reissue);
  if (now < certificate.validFromDate || now > certificate.validToDate)
    throw new TlsFilesUnusableError(
      files.cert,
      `the certificate is valid from ${certificate.validFrom} to ${certificate.validTo} only`,
      reissue,
    );
  return { cert, key, ca };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new TlsFilesUnusableError(path, "the file cannot be read", "check its path, owner and mode", cause);
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function readAuthorities(pem: Buffer): X509Certificate[] {
  const texts = pem.toString("latin1").match(PEM_CERTIFICATE) ?? [];
  // Without any, the parser says what is wrong.
  return (texts.length === 0 ? [pem] : texts).map((text) => new X509Certificate(text));
}

function parse<T>(path: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new TlsFilesUnusableError(path, `the file holds no ${what} in PEM form`, "put the right file there", cause);
  }
}
