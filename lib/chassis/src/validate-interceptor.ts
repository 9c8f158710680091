import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { FieldViolation } from "./google-rpc-details.ts";
import { compilePlainRules, type PlainChecks, runPlainRules } from "./plain-rules.ts";
import { RequestInvalidError } from "./request-invalid-error.ts";

/**
 * Holds every request message to the rules (`buf.validate`) that its proto file states, before the handler sees it.
 * Protovalidate's engine is loaded only when a message uses a rule that `plain-rules.ts` does not know.
 */
export function validateInterceptor(): Interceptor {
  const compiled = new Map<DescMessage, PlainChecks>();
  return (next) => async (request) => {
    const desc = request.method.input;
    const plain = compilePlainRules(desc, compiled);
    const check =
      plain === undefined
        ? await protovalidate(desc)
        : (message: Message): FieldViolation[] => runPlainRules(plain.checks, desc, message);
    if (request.stream) return next({ ...request, message: checking(desc, check, request.message) });
    refuse(desc, check(request.message));
    return next(request);
  };
}

async function* checking<T extends Message>(
  desc: DescMessage,
  check: (message: Message) => FieldViolation[],
  messages: AsyncIterable<T>,
): AsyncGenerator<T> {
  for await (const message of messages) {
    refuse(desc, check(message));
    yield message;
  }
}

function refuse(desc: DescMessage, violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw new RequestInvalidError(desc.typeName, violations);
}

/** @throws the engine's own error when a rule cannot be compiled or run. */
export async function protovalidate(desc: DescMessage): Promise<(message: Message) => FieldViolation[]> {
  const { createValidator } = await import("@bufbuild/protovalidate");
  const validator = createValidator();
  return (message) => {
    const result = validator.validate(desc, message);
    if (result.kind === "valid") return [];
    if (result.kind === "error") throw result.error;
    return result.violations.map((violation) => ({
      field: String(violation).split(":")[0] ?? "",
      description: violation.message,
      reason: violation.ruleId,
    }));
  };
}
