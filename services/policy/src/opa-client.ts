import { Agent, request } from "node:http";

/** One HTTP answer, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Speaks HTTP to one OPA over its socket, on connections that are kept. */
export interface OpaClient {
  /** @throws whatever the socket reports, and an AbortError when `signal` is aborted. */
  send(
    method: "GET" | "PUT" | "POST",
    path: string,
    body?: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<HttpAnswer>;
  close(): void;
}

/** More requests than this wait here: OPA evaluates each on a thread of its own, and the machine has only so many. */
const MAX_CONNECTIONS = 8;

export function createOpaClient(socketPath: string): OpaClient {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  return {
    send(method, path, body = [], signal) {
      const length = body.reduce((sum, part) => sum + part.length, 0);
      const headers = {
        "content-type": method === "PUT" ? "text/plain" : "application/json",
        "content-length": length,
      };
      return new Promise((resolve, reject) => {
        const sent = request(
          { socketPath, agent, method, path, headers, ...(signal === undefined ? {} : { signal }) },
          (answer) => {
            const chunks: Buffer[] = [];
            answer.on("data", (chunk: Buffer) => chunks.push(chunk));
            answer.once("error", reject);
            answer.once("close", () => {
              if (!answer.complete) reject(new Error("the answer was cut off"));
            });
            answer.once("end", () =>
              resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
            );
          },
        );
        sent.once("error", reject);
        for (const part of body) sent.write(part);
        sent.end();
      });
    },
    close: () => agent.destroy(),
  };
}
