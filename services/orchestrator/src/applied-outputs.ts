import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { type AppliedPointer, appliedPointerSchema } from "@xcloudflow/model/applied-pointer";
import { type Inputs, inputNodes } from "@xcloudflow/model/input-value";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import type { StateClient } from "./collaborators.ts";
import type { KnownOutputs } from "./resolve-inputs.ts";

/** Applied pointers of these units; units never applied to the end are absent. */
export async function loadPointers(
  state: StateClient,
  tenant: string,
  units: readonly string[],
): Promise<Map<string, AppliedPointer>> {
  if (units.length === 0) return new Map();
  const { pointerDocuments } = await state.listApplied(
    { units: [...units] },
    as(serviceCaller(tenant, "orchestrator")),
  );
  const pointers = pointerDocuments.map((bytes) => decodeDocument(appliedPointerSchema, bytes, "an applied pointer"));
  return new Map(pointers.flatMap((pointer) => (pointer.attempted ? [] : [[pointer.address, pointer]])));
}

/** Units whose outputs these inputs refer to. */
export function producersOf(inputs: readonly Inputs[]): string[] {
  const producers = new Set<string>();
  for (const unit of inputs) {
    for (const value of Object.values(unit)) {
      for (const node of inputNodes(value)) if (node.$xcf === "output") producers.add(node.address);
    }
  }
  return [...producers];
}

/** What the producers these inputs refer to were applied with. */
export async function loadAppliedOutputs(
  state: StateClient,
  tenant: string,
  inputs: readonly Inputs[],
): Promise<(producer: string) => KnownOutputs> {
  const pointers = await loadPointers(state, tenant, producersOf(inputs));
  return (producer) => {
    const pointer = pointers.get(producer);
    return pointer === undefined ? { kind: "absent" } : { kind: "known", outputs: pointer.outputs };
  };
}
