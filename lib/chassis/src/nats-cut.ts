import type { NatsConnection } from "@nats-io/transport-node";

/** Thrown where an answer was waited for over a connection that has broken. */
export class NatsConnectionCutError extends Error {
  constructor() {
    super("the connection to NATS broke before the answer came");
    this.name = "NatsConnectionCutError";
  }
}

/** Rejects what waits for an answer the moment the connection breaks: the client would let it run into its timeout. */
export function untilCut(connection: NatsConnection): <T>(answer: Promise<T>) => Promise<T> {
  const waiting = new Set<(reason: Error) => void>();
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type !== "disconnect") continue;
      for (const reject of waiting) reject(new NatsConnectionCutError());
      waiting.clear();
    }
  })();
  return async (answer) => {
    const { promise, reject } = Promise.withResolvers<never>();
    waiting.add(reject);
    try {
      return await Promise.race([answer, promise]);
    } finally {
      waiting.delete(reject);
    }
  };
}
