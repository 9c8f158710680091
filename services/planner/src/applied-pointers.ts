import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { Address } from "@xcloudflow/model/address";
import { type AppliedPointer, appliedPointerSchema } from "@xcloudflow/model/applied-pointer";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { createLruCache } from "./lru-cache.ts";
import type { StateClient } from "./planner-context.ts";

export interface ListedPointers {
  readonly applied: ReadonlyMap<Address, AppliedPointer>;
  /** Of units whose first apply began and has not ended well. */
  readonly attempted: ReadonlyMap<Address, AppliedPointer>;
}

/** Reads applied pointers; one whose bytes have not changed is not decoded again. */
export interface AppliedPointers {
  list(tenant: string, environment: string): Promise<ListedPointers>;
}

interface Decoded {
  readonly bytes: Uint8Array;
  readonly pointer: AppliedPointer;
}

/** Environments whose pointers are kept decoded. */
const KEPT_ENVIRONMENTS = 8;

export function createAppliedPointers(state: StateClient): AppliedPointers {
  const known = createLruCache<string, readonly Decoded[]>(KEPT_ENVIRONMENTS);
  return {
    async list(tenant, environment) {
      const key = `${tenant} ${environment}`;
      const { pointerDocuments } = await state.listApplied({ environment }, as(serviceCaller(tenant, "planner")));
      const before = known.get(key) ?? [];
      const byStart = new Map(before.map((decoded) => [fingerprint(decoded.bytes), decoded]));
      const decoded = pointerDocuments.map((bytes) => {
        const same = byStart.get(fingerprint(bytes));
        if (same !== undefined && Buffer.compare(same.bytes, bytes) === 0) return same;
        return { bytes, pointer: decodeDocument(appliedPointerSchema, bytes, "an applied pointer") };
      });
      known.set(key, decoded);
      const among = (attempted: true | undefined): Map<Address, AppliedPointer> =>
        new Map(
          decoded.flatMap(({ pointer }) => (pointer.attempted === attempted ? [[pointer.address, pointer]] : [])),
        );
      return { applied: among(undefined), attempted: among(true) };
    },
  };
}

/** Finds the document to compare with: they begin with their addresses, whatever the order of the list. */
function fingerprint(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 200)).toString("latin1");
}
