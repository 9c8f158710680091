import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RegistryReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface RegistryServer {
  /** `localhost:<port>` */
  readonly host: string;
  /** The certificate, which is its own authority. */
  readonly certificate: string;
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[];
  /** What is answered, by path with query. */
  readonly replies: Map<string, RegistryReply>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A module registry over HTTPS on a port of its own. */
export async function startRegistry(): Promise<RegistryServer> {
  const folder = mkdtempSync(join(tmpdir(), "xcf-registry-"));
  const [keyFile, certificateFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...kind, ...subject, "-keyout", keyFile, "-out", certificateFile], { stdio: "pipe" });
  const [key, certificate] = [readFileSync(keyFile, "utf8"), readFileSync(certificateFile, "utf8")];
  rmSync(folder, { recursive: true });
  const asked: { path: string; authorization: string | undefined }[] = [];
  const replies = new Map<string, RegistryReply>();
  const server = createServer({ key, cert: certificate }, (request: IncomingMessage, response) => {
    asked.push({ path: request.url ?? "", authorization: request.headers.authorization });
    const { status = 200, headers = {}, body = "" } = replies.get(request.url ?? "") ?? { status: 404 };
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    host: `localhost:${port}`,
    certificate,
    asked,
    replies,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
