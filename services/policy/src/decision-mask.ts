import { z } from "zod";

/** What the decision log keeps of a result, and what was taken out, in the terms of OPA's decision logs. */
export interface MaskedResult {
  readonly result: unknown;
  /** JSON pointers of what is not there any more. */
  readonly erased: readonly string[];
  /** JSON pointers of what was replaced. */
  readonly masked: readonly string[];
}

const operationSchema = z.union([
  z.string().transform((path) => ({ op: "remove" as const, path, value: undefined })),
  z.strictObject({ op: z.enum(["remove", "upsert"]), path: z.string(), value: z.unknown() }),
]);

/** Inputs are never kept, only their digests, so they count as erased whatever a mask says of them. */
const ALWAYS_ERASED = "/input";

/**
 * Applies the results of a bundle's `data.system.log.mask`: pointers such as `/result/denials/0/message`, or
 * `{"op": "upsert", "path": …, "value": …}`. What it cannot read hides the whole result: better nothing than a secret.
 */
export function maskResult(result: unknown, mask: unknown): MaskedResult {
  const operations = z.array(operationSchema).safeParse(mask ?? []);
  if (!operations.success) return { result: undefined, erased: [ALWAYS_ERASED, "/result"], masked: [] };
  const event = { result: structuredClone(result) };
  const erased = [ALWAYS_ERASED];
  const masked: string[] = [];
  for (const { op, path, value } of operations.data) {
    const parts = path
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (parts[0] !== "result" || !change(event, parts, op === "upsert" ? { value } : undefined)) continue;
    (op === "upsert" ? masked : erased).push(path);
  }
  return { result: event.result, erased, masked };
}

/** False when there is nothing at that place. */
function change(
  target: unknown,
  parts: readonly string[],
  replacement: { readonly value: unknown } | undefined,
): boolean {
  const [part, ...rest] = parts;
  if (part === undefined || typeof target !== "object" || target === null || !Object.hasOwn(target, part)) return false;
  if (rest.length > 0) return change(Reflect.get(target, part), rest, replacement);
  // An element taken out of an array would move the others away from where later pointers look for them.
  if (replacement === undefined && !Array.isArray(target)) return Reflect.deleteProperty(target, part);
  return Reflect.set(target, part, replacement === undefined ? null : replacement.value);
}
