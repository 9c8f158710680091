import { z } from "zod";
import { type NamespaceAnswer, namespaceAnswerSchema } from "./conftest-conventions.ts";
import { askModule, askPath, type EntryModule, namespaceModule } from "./entry-module.ts";
import { type OpaServer, type OpaServerOptions, startOpaServer } from "./opa-server.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { PolicyEvaluationFailedError, PolicyUnavailableError } from "./policy-errors.ts";
import { indexRules, type Namespace, policiesAnswerSchema, type RuleIndex } from "./rule-index.ts";

/** A document to be judged. */
export interface EvaluationItem {
  /** JSON text, handed to OPA as it is. Services print it by `JSON.stringify`; nothing else may come here unparsed. */
  readonly document: Uint8Array;
  /** What policies see as `data.conftest.file`. */
  readonly file: { readonly name: string; readonly dir: string };
}

/** What one namespace answered about one document. */
export interface NamespaceReply {
  readonly namespace: Namespace;
  readonly answer: NamespaceAnswer;
}

export interface EvaluatorOptions extends OpaServerOptions {
  readonly evaluateTimeoutMs: number;
}

/** One bundle in one resident OPA. Where OPA ends, calls fail and a new evaluator is to be started. */
export interface BundleEvaluator {
  readonly server: OpaServer;
  readonly index: RuleIndex;
  /**
   * Asks every namespace about every item in one query; the answer has one list of replies per item, in their order.
   *
   * @throws {PolicyUnavailableError} when OPA has ended or takes too long.
   * @throws {PolicyEvaluationFailedError} when a rule stops with an error.
   */
  evaluate(items: readonly EvaluationItem[], namespaces: readonly Namespace[]): Promise<NamespaceReply[][]>;
}

const EXIT_NOTICE_MS = 200;

const errorAnswerSchema = z.looseObject({
  message: z.string(),
  errors: z
    .array(
      z.looseObject({ message: z.string(), location: z.looseObject({ file: z.string(), row: z.number() }).optional() }),
    )
    .default([]),
});
const answersSchema = z.looseObject({ result: z.array(z.record(z.string(), namespaceAnswerSchema)) });

/** @throws {PolicyUnavailableError} when OPA does not start. */
export async function startBundleEvaluator(bundle: PolicyBundle, options: EvaluatorOptions): Promise<BundleEvaluator> {
  const server = await startOpaServer(bundle, options);
  try {
    const index = indexRules(
      policiesAnswerSchema.parse(JSON.parse((await server.client.send("GET", "/v1/policies")).body)),
    );
    return createEvaluator(server, index, options.evaluateTimeoutMs);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function createEvaluator(server: OpaServer, index: RuleIndex, timeoutMs: number): BundleEvaluator {
  const { revision } = server;
  /** Modules are put once; those who come meanwhile wait for the same answer. A failed one is tried again. */
  const put = new Map<string, Promise<void>>();
  let last: Promise<unknown> = Promise.resolve();

  async function send(method: "PUT" | "POST", path: string, body: readonly Uint8Array[]): Promise<string> {
    const answer = await server.client.send(method, path, body, AbortSignal.timeout(timeoutMs)).catch(explainSilence);
    if (answer.status === 200) return answer.body;
    throw describeFailure(revision, answer.status, answer.body);
  }

  async function explainSilence(cause: unknown): Promise<never> {
    if (cause instanceof Error && (cause.name === "AbortError" || cause.name === "TimeoutError")) {
      // It may hang, and if not, a policy that runs this long must not go on using the machine.
      server.kill();
      throw new PolicyUnavailableError(`no answer within ${timeoutMs} ms`, { revision, cause });
    }
    // The connection breaks a moment before the end of the process is known.
    const reason = await Promise.race([server.exited, pauseFor(EXIT_NOTICE_MS)]);
    throw new PolicyUnavailableError(reason ?? "the connection was lost", { revision, cause, askAgain: true });
  }

  function ensure({ id, text }: EntryModule): Promise<void> {
    const known = put.get(id);
    if (known !== undefined) return known;
    // One after the other: each makes OPA compile the whole bundle again.
    const loading = last.then(async () => void (await send("PUT", `/v1/policies/${id}`, [Buffer.from(text)])));
    put.set(id, loading);
    last = loading.catch(() => put.delete(id));
    return loading;
  }

  async function evaluate(
    items: readonly EvaluationItem[],
    namespaces: readonly Namespace[],
  ): Promise<NamespaceReply[][]> {
    const indexes = namespaces.map((namespace) => index.namespaces.indexOf(namespace));
    if (namespaces.length === 0) return items.map(() => []);
    for (const [position, namespace] of namespaces.entries()) {
      await ensure(namespaceModule(revision, indexes[position] ?? -1, namespace));
    }
    await ensure(askModule(revision, indexes));
    const { result } = answersSchema.parse(
      JSON.parse(await send("POST", `/v1/data/${askPath(revision, indexes)}`, frame(items))),
    );
    if (result.length !== items.length) {
      throw new PolicyUnavailableError(`${items.length} documents were sent and ${result.length} answered`, {
        revision,
      });
    }
    return result.map((answers) =>
      namespaces.map((namespace, position) => {
        const answer = answers[String(indexes[position])];
        if (answer === undefined)
          throw new PolicyUnavailableError(`nothing about namespace ${namespace.name}`, { revision });
        return { namespace, answer };
      }),
    );
  }

  return { server, index, evaluate };
}

/** The request's body around the documents, which are not copied nor parsed here. */
function frame(items: readonly EvaluationItem[]): Uint8Array[] {
  const parts: Uint8Array[] = [Buffer.from('{"input":{"items":[')];
  for (const [position, { document, file }] of items.entries()) {
    parts.push(
      Buffer.from(`${position === 0 ? "" : ","}{"file":${JSON.stringify(file)},"document":`),
      document,
      Buffer.from("}"),
    );
  }
  parts.push(Buffer.from("]}}"));
  return parts;
}

function describeFailure(revision: string, status: number, body: string): Error {
  const answer = errorAnswerSchema.safeParse(tryJson(body));
  if (!answer.success) return new PolicyUnavailableError(`opa answered ${status}: ${body.slice(0, 200)}`, { revision });
  const { message, errors } = answer.data;
  const [first] = errors;
  if (first === undefined) return new PolicyEvaluationFailedError(`policy bundle ${revision}`, message);
  const { location } = first;
  return new PolicyEvaluationFailedError(
    location === undefined ? `policy bundle ${revision}` : `${location.file}:${location.row}`,
    first.message,
  );
}

function pauseFor(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, undefined));
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
