import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Caller } from "@xcloudflow/chassis/caller";
import { basicPassword } from "@xcloudflow/chassis/edge-auth";
import { looksLikeAttempt, readAttempt } from "./attempt-credentials.ts";
import { lockState, unlockState } from "./engine-lock.ts";
import { deleteState, latenessError, pullState, writeState } from "./engine-state.ts";
import type { Writer } from "./engine-state-decision.ts";
import { limited } from "./limited.ts";
import { parseLockInfo } from "./lock-info.ts";
import type { StateContext } from "./state-context.ts";
import { RecordMissingError, UploadChecksumError } from "./state-errors.ts";
import { StateAddressUnknownError, StateCredentialsError, StateRequestInvalidError } from "./terraform-errors.ts";
import {
  authorizeRequest,
  type Credentials,
  isTerraformPath,
  parseTerraformRequest,
  type TerraformRequest,
} from "./terraform-request.ts";
import { writeFailure } from "./terraform-response.ts";

export interface TerraformBackendOptions {
  readonly context: StateContext;
  /** Who an API token stands for; undefined when it is unknown, expired or revoked. */
  readonly authenticate: (token: string) => Promise<Caller | undefined>;
}

/** Answers one request; never rejects, since an error is an answer too. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const MOST_LOCK_BYTES = 64 * 1024;

/**
 * Terraform's `http` state backend (hashicorp/terraform `internal/backend/remote-state/http/client.go`), at
 * `/terraform/<tenant>/<unit address>`. Its client sends the lock's id and no more, so lock, lineage and serial are
 * checked here. Serves units' attempts and, with an API token, any `terraform` on any machine.
 */
export function createTerraformBackend({ context, authenticate }: TerraformBackendOptions): HttpHandler {
  async function identify(request: IncomingMessage): Promise<Credentials> {
    const password = basicPassword(request.headers.authorization);
    if (password === undefined) throw new StateCredentialsError(true);
    if (looksLikeAttempt(password))
      return { kind: "attempt", ...(await readAttempt(context.attemptKey, password, context.clock.now())) };
    const caller = await authenticate(password);
    if (caller === undefined) throw new StateCredentialsError(false);
    return { kind: "token", caller };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isTerraformPath(request.url ?? "")) throw new StateAddressUnknownError(request.url ?? "");
    const credentials = await identify(request);
    const wanted = parseTerraformRequest(request.method ?? "", request.url ?? "");
    const writer = authorizeRequest(wanted, credentials);
    switch (wanted.verb) {
      case "read":
        return await read(wanted, writer, response);
      case "write":
        return await write(wanted, writer, request, response);
      case "delete":
        await deleteState(context, wanted, { writer, lockId: wanted.lockId });
        return end(response, 200);
      case "lock": {
        const lock = parseLockInfo(await readText(request));
        if (lock === undefined)
          throw new StateRequestInvalidError("the request names no lock", "send Terraform's LockInfo");
        await lockState(context, wanted, { ...lock, holder: writer });
        return end(response, 200);
      }
      case "unlock":
        await unlockState(context, wanted, writer, parseLockInfo(await readText(request))?.id);
        return end(response, 200);
    }
  }

  async function read(wanted: TerraformRequest, writer: Writer, response: ServerResponse): Promise<void> {
    try {
      const state = await pullState(context, wanted, 0n, writer.kind === "token" ? { actor: writer.name } : undefined);
      const bytes = await startReading(state.bytes);
      response.writeHead(200, {
        "Content-Type": "application/json",
        "Content-Length": state.size,
        "Cache-Control": "no-store",
      });
      await pipeline(bytes, response);
    } catch (error) {
      if (error instanceof RecordMissingError) return end(response, 204);
      throw error;
    }
  }

  async function write(
    wanted: TerraformRequest,
    writer: Writer,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const source = checked(
      limited(bodyOf(request), context.maxUploadBytes),
      request.headers["content-md5"],
      wanted.unit,
    );
    const result = await writeState(context, wanted, { writer, lockId: wanted.lockId, source });
    if (result.outcome === "quarantined") throw latenessError(wanted, writer, result);
    end(response, 200);
  }

  return async (request, response) => {
    try {
      await answer(request, response);
    } catch (error) {
      writeFailure(context, request, response, error);
    }
  };
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}

/** The first piece is opened before anything is answered, so that a damaged state is an error and not half an answer. */
async function startReading(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const iterator = source[Symbol.asyncIterator]();
  let next = await iterator.next();
  return (async function* () {
    for (; next.done !== true; next = await iterator.next()) yield next.value;
  })();
}

/** Leaves the connection open when reading stops early: there is still an answer to send on it. */
function bodyOf(request: IncomingMessage): AsyncIterable<unknown> {
  return request.iterator({ destroyOnReturn: false });
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limited(bodyOf(request), MOST_LOCK_BYTES)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** `Content-MD5` (RFC 1864) is what terraform sends; a request without one is taken as it comes. */
async function* checked(
  source: AsyncIterable<Uint8Array>,
  expected: string | string[] | undefined,
  where: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("md5");
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  const actual = hash.digest("base64");
  if (typeof expected === "string" && expected.trim() !== actual)
    throw new UploadChecksumError(where, expected.trim(), actual);
}
