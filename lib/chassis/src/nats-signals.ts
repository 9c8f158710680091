import type { NatsConnection } from "@nats-io/transport-node";

/** Nudges between replicas: told to whoever listens now, kept nowhere, lost without harm. */
export interface Signals {
  send(topic: string): void;
  /** The result stops it. */
  listen(topic: string, listener: () => void): () => void;
}

/** `topic` is a subject below `xcf.signal`. */
export function createNatsSignals(connection: NatsConnection): Signals {
  return {
    send(topic) {
      if (!connection.isClosed() && !connection.isDraining()) connection.publish(`xcf.signal.${topic}`);
    },
    listen(topic, listener) {
      const subscription = connection.subscribe(`xcf.signal.${topic}`, { callback: () => listener() });
      return () => subscription.unsubscribe();
    },
  };
}
