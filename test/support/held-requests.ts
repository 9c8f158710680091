import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";

/** A server on loopback whose answers wait: what makes an engine take as long as a test wants. */
export interface HeldRequests extends AsyncDisposable {
  readonly url: string;
  /** Resolves when a request has come. */
  asked(): Promise<void>;
  /** Answers what has come and whatever comes with an empty Terraform state. */
  answer(): void;
}

const EMPTY_STATE = JSON.stringify({ version: 4, serial: 1, lineage: "held", outputs: {}, resources: [] });

export async function holdRequests(): Promise<HeldRequests> {
  const held: ServerResponse[] = [];
  let answering = false;
  const server = createServer((_request, response) => {
    if (answering) response.end(EMPTY_STATE);
    else held.push(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`,
    async asked() {
      while (held.length === 0) await once(server, "request");
    },
    answer() {
      answering = true;
      for (const response of held.splice(0)) response.end(EMPTY_STATE);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
