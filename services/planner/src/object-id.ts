import { GitFailedError } from "./git-errors.ts";

const OBJECT_ID_PATTERN = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

export function isObjectId(text: string): boolean {
  return OBJECT_ID_PATTERN.test(text);
}

export function objectId(text: string): string {
  if (!isObjectId(text)) throw new GitFailedError(`"${text.slice(0, 80)}" is not an object id`);
  return text;
}

/** What may be handed to rev-parse: no option, no control character, no search of messages or of the index. */
export function isPlausibleReference(reference: string): boolean {
  return reference.length > 0 && reference.length <= 1_000 && !/^[-:]|[\p{Cc}\s]|:\/|\^\{\//u.test(reference);
}
