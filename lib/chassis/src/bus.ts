/**
 * The seam for events and wake-ups: in-process in the embedded mode, NATS JetStream in the mesh.
 *
 * The bus is a hint, Postgres is the truth. So the promise is the weakest that is still useful, and the same on both
 * sides: at least once, in order per publisher, with a memory of message ids that drops most repeats. A handler must
 * therefore be idempotent, and nothing may be decided from a message alone. A message is acknowledged when its handler's
 * promise resolves, and delivered again when it rejects.
 *
 * Subjects are NATS subjects: tokens separated by dots; in a pattern `*` stands for one token and a last `>` for one or
 * more.
 */
export interface Bus {
  /**
   * Resolves once the bus holds the message; a message whose id it has seen lately is dropped silently.
   *
   * @throws {BusSubjectInvalidError} when the subject is empty, has an empty token, or a wildcard.
   * @throws {BusUnavailableError} when it may not hold it: publish again, with the same id.
   * @throws {BusClosedError} after `close`.
   */
  publish(subject: string, message: BusMessage): Promise<void>;
  /**
   * Calls `handler` for each message that matches, one at a time. Without `durable`: from now on, and nothing is kept
   * after `unsubscribe`. With `durable`: subscriptions of the same name share one queue, each message goes to one of
   * them, and what arrives while there is none waits; a new name may begin with messages from before it.
   */
  subscribe(pattern: string, options: SubscribeOptions, handler: BusHandler): Promise<Subscription>;
  /**
   * Where what is published outlives this process: changes when that store was lost and begun anew, so that whoever has
   * the truth publishes again.
   *
   * @throws {BusUnavailableError} when the store does not say.
   */
  storeIdentity?(): Promise<string>;
  /** Ends all subscriptions after their running handlers, and refuses further calls. */
  close(): Promise<void>;
}

export interface BusMessage {
  /** Unique for what is said, not for the attempt to say it: an event's id, a task's id with its attempt. */
  readonly id: string;
  readonly data: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Delivery extends BusMessage {
  readonly subject: string;
  /** 1 the first time. */
  readonly attempt: number;
}

export type BusHandler = (delivery: Delivery) => Promise<void>;

export interface SubscribeOptions {
  readonly durable?: string;
}

export interface Subscription {
  /** Resolves when the running handler, if any, has ended; no other follows. */
  unsubscribe(): Promise<void>;
}
