import { create } from "@bufbuild/protobuf";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { type PutArtefactRequest, PutArtefactRequestSchema } from "@xcloudflow/proto/state/v1/state_pb";
import type { ModulePacker, PackedModule } from "./module-packer.ts";
import type { StateClient } from "./planner-context.ts";

const CHUNK_BYTES = 256 * 1024;
const ASKED_AT_ONCE = 1_000;
const PARALLEL = 4;

/** Stores the archives that the state service does not have yet. Doing it again changes nothing. */
export async function uploadModules(
  state: StateClient,
  tenant: string,
  modules: readonly PackedModule[],
  packer: ModulePacker,
): Promise<void> {
  const caller = as(serviceCaller(tenant, "planner"));
  const byId = new Map(modules.map((module) => [module.archive, module]));
  const ids = [...byId.keys()];
  const missing: PackedModule[] = [];
  for (let start = 0; start < ids.length; start += ASKED_AT_ONCE) {
    const asked = ids.slice(start, start + ASKED_AT_ONCE);
    const present = new Set((await state.hasArtefacts({ ids: asked }, caller)).present);
    for (const id of asked) {
      const module = byId.get(id);
      if (!present.has(id) && module !== undefined) missing.push(module);
    }
  }
  const next = missing.values();
  const worker = async (): Promise<void> => {
    for (const module of next) await state.putArtefact(chunks(module.archive, await packer.archiveOf(module)), caller);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

async function* chunks(id: string, content: Buffer): AsyncGenerator<PutArtefactRequest> {
  yield create(PutArtefactRequestSchema, { part: { case: "header", value: { kind: "module", unit: "", id } } });
  for (let start = 0; start < content.length; start += CHUNK_BYTES) {
    yield create(PutArtefactRequestSchema, {
      part: { case: "data", value: content.subarray(start, start + CHUNK_BYTES) },
    });
  }
}
