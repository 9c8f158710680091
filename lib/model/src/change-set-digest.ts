import type { ChangeSet } from "./change-set.ts";
import { digestOf } from "./digest.ts";

/** Names the rules of `changeSetDigest`; another way of computing it gets another tag. */
export const CHANGE_SET_DIGEST_TAG = "xcf1:";

/** A ChangeSet before it has a name, a digest and a date. */
export type ChangeSetContent = Omit<ChangeSet, "id" | "digest" | "createdAt">;

/**
 * `xcf1:sha256:…` over the RFC 8785 canonical JSON of everything a ChangeSet says, but its `id`, its `digest` and
 * `createdAt`, which decide nothing. Whoever approves the digest approves exactly this content.
 */
export function changeSetDigest(content: ChangeSetContent | ChangeSet): string {
  return CHANGE_SET_DIGEST_TAG + digestOf({ ...content, id: undefined, digest: undefined, createdAt: undefined });
}

/** Whether the document still is what its digest says. */
export function hasTrueDigest(changeSet: ChangeSet): boolean {
  return changeSet.digest === changeSetDigest(changeSet);
}
