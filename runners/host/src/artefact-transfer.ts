import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "@xcloudflow/model/coded-error";
import { sha256Hex } from "@xcloudflow/model/digest";
import type { StateClient } from "./worker-clients.ts";

/** Thrown when an artefact's bytes are not those its id names. */
export class ArtefactDamagedError extends CodedError {
  constructor(id: string) {
    super("ARTEFACT_DAMAGED", "dataLoss", {
      what: `artefact ${id} does not hash to its id`,
      hint: "plan again; nothing was run with it",
    });
  }
}

const CHUNK = 256 * 1024;

/** @throws {ArtefactDamagedError} */
export async function getArtefact(state: StateClient, id: string, signal?: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const { data } of state.getArtefact({ id }, signal && { signal })) parts.push(data);
  const bytes = Buffer.concat(parts);
  if (`sha256:${sha256Hex(bytes)}` !== id) throw new ArtefactDamagedError(id);
  return bytes;
}

export async function putArtefact(
  state: StateClient,
  kind: string,
  unit: string,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<string> {
  const expected = `sha256:${sha256Hex(bytes)}`;
  async function* parts() {
    yield { part: { case: "header" as const, value: { kind, unit, id: expected } } };
    for (let offset = 0; offset < bytes.length; offset += CHUNK) {
      yield { part: { case: "data" as const, value: bytes.subarray(offset, offset + CHUNK) } };
    }
  }
  const { id } = await state.putArtefact(parts(), signal && { signal });
  if (id !== expected) throw new ArtefactDamagedError(expected);
  return id;
}

/** Module archives by id: a few in memory, all on disk. What is read is checked against its id again. */
export interface ArchiveCache {
  get(id: string, signal: AbortSignal): Promise<Uint8Array>;
}

const KEPT_IN_MEMORY = 16;
const LARGEST_IN_MEMORY = 4 * 1024 * 1024;

export function createArchiveCache(state: StateClient, folder: string): ArchiveCache {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const recent = new Map<string, Promise<Uint8Array>>();

  async function load(id: string, signal: AbortSignal): Promise<Uint8Array> {
    const path = join(folder, `${id.replace(/[^A-Za-z0-9]/g, "-")}.tar`);
    const known = readIfIntact(path, id);
    if (known !== undefined) return known;
    const bytes = await getArtefact(state, id, signal);
    const next = `${path}.${process.pid}.next`;
    writeFileSync(next, bytes, { mode: 0o600 });
    renameSync(next, path);
    return bytes;
  }

  return {
    async get(id, signal) {
      const loading = recent.get(id) ?? load(id, signal);
      recent.delete(id);
      recent.set(id, loading);
      try {
        const bytes = await loading;
        if (bytes.length > LARGEST_IN_MEMORY) recent.delete(id);
        return bytes;
      } catch (error) {
        recent.delete(id);
        throw error;
      } finally {
        for (const oldest of recent.keys()) {
          if (recent.size <= KEPT_IN_MEMORY) break;
          recent.delete(oldest);
        }
      }
    },
  };
}

function readIfIntact(path: string, id: string): Uint8Array | undefined {
  try {
    const bytes = readFileSync(path);
    return `sha256:${sha256Hex(bytes)}` === id ? bytes : undefined;
  } catch {
    return undefined; // Not cached yet.
  }
}
