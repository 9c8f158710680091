import { type ClientHttp2Session, connect } from "node:http2";
import { createConnection } from "node:net";
import type { z } from "zod";
import {
  IDENTITY_PATH,
  LEAVE_PATH,
  leaveAnswerSchema,
  type OwnerIdentity,
  ownerIdentitySchema,
} from "./owner-protocol.ts";

/** A connection to a live owner. As long as it is open, the owner stays. */
export interface OwnerSession {
  readonly identity: OwnerIdentity;
  /** Asks an owner without other clients or runs to end. */
  askToLeave(deadline: AbortSignal): Promise<boolean>;
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>;
  close(): void;
}

/** Any URL does: the connection is given. */
export const OWNER_URL = "http://owner.xcf.internal";

/**
 * @throws the socket's error when nobody listens or the connection breaks.
 * @throws the deadline's reason when somebody listens and does not answer.
 */
export async function openOwnerSession(socket: string, deadline: AbortSignal): Promise<OwnerSession> {
  const session = connect(OWNER_URL, { createConnection: () => createConnection(socket) });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  session.once("close", resolve);
  // Every use of the session waits for its own outcome and reports the error there.
  session.on("error", () => session.destroy());
  try {
    const identity = await request(session, "GET", IDENTITY_PATH, ownerIdentitySchema, deadline);
    session.unref();
    return {
      identity,
      gone,
      askToLeave: async (until) => (await request(session, "POST", LEAVE_PATH, leaveAnswerSchema, until)).leaving,
      close: () => session.destroy(),
    };
  } catch (error) {
    session.destroy();
    throw error;
  }
}

async function request<T>(
  session: ClientHttp2Session,
  method: string,
  path: string,
  schema: z.ZodType<T>,
  deadline: AbortSignal,
): Promise<T> {
  deadline.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const abort = (): void => reject(deadline.reason);
  deadline.addEventListener("abort", abort, { once: true });
  session.once("error", reject);
  session.once("close", () => reject(new Error("the owner closed the connection")));
  const stream = session.request({ ":method": method, ":path": path }, { endStream: true });
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (part: string) => {
    text += part;
  });
  stream.once("error", reject);
  stream.once("end", () => resolve(text));
  try {
    return schema.parse(JSON.parse(await promise));
  } finally {
    deadline.removeEventListener("abort", abort);
    session.off("error", reject);
  }
}
