import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { SupervisedProcess } from "@xcloudflow/mesh/supervised-process-cli";
import type { TestMesh } from "../support/mesh.ts";
import { type EngineProcess, freezeWorker } from "../support/owner-processes.ts";
import { poll } from "../support/poll.ts";
import type { WatchedRun } from "./ledger-run.ts";

export type StrikeKind = "kill" | "freeze" | "store";

export interface Strike {
  readonly kind: StrikeKind;
  /** `state-2`, `terraform-apply-1`, `postgres`, `nats`. */
  readonly victim: string;
  /** Its process when it was struck. */
  readonly pid: number;
  readonly at: number;
  /** Units whose engine was applying under the victim. */
  readonly hit: readonly string[];
  /** Units that the victim, a worker, had in its hands. */
  readonly held: readonly string[];
  /** Until the victim answered again, in milliseconds. */
  readonly back: number;
  /** Of a lost store: until NATS had all events again. */
  readonly republished?: { readonly events: number; readonly milliseconds: number };
}

const AGAIN_MS = 60_000;

export function isWorker(name: string): boolean {
  return name.startsWith("terraform-");
}

export function processOf({ mesh }: TestMesh, name: string): SupervisedProcess {
  if (name === "postgres") return mesh.postgres;
  if (name === "nats") return mesh.nats;
  const found = mesh.processes.get(name);
  if (found === undefined) throw new Error(`the mesh has no ${name}`);
  return found;
}

/** Every process of the mesh by its name, the two servers among them. */
export function victimsOf({ mesh }: TestMesh): string[] {
  return [...mesh.processes.keys(), "postgres", "nats"];
}

/** SIGKILL, and until the supervisor has it running again. */
export async function kill(mesh: TestMesh, victim: string): Promise<Strike> {
  const target = processOf(mesh, victim);
  const { starts, pid = 0 } = target;
  const engines = await strikeWorker(mesh, victim);
  const at = performance.now();
  if (engines === undefined) target.signal("SIGKILL");
  await poll(
    async () => target.starts,
    (now) => now > starts,
    AGAIN_MS,
  );
  await target.ready();
  return { kind: "kill", victim, pid, at, ...unitsOf(engines ?? []), back: performance.now() - at };
}

/** A worker is stopped first, so that what its engines are at is what they were at when it died. */
async function strikeWorker(mesh: TestMesh, victim: string): Promise<readonly EngineProcess[] | undefined> {
  const { pid } = processOf(mesh, victim);
  if (!isWorker(victim) || pid === undefined) return undefined;
  const frozen = await freezeWorker(pid, scratchOf(mesh, victim));
  await frozen?.killParent();
  return frozen?.engines ?? [];
}

/**
 * SIGSTOP to a worker that has an attempt out, with its engines or without them, until the attempt is somebody else's; then
 * SIGCONT, and what it does next is late. Undefined when the run ended before any worker had anything to do.
 */
export async function freeze(
  mesh: TestMesh,
  victim: string,
  run: WatchedRun,
  withEngines: boolean,
  patience: number,
): Promise<Strike | undefined> {
  const { pid } = processOf(mesh, victim);
  if (pid === undefined) return undefined;
  while (!run.isOver) {
    const frozen = await freezeWorker(pid, scratchOf(mesh, victim));
    if (frozen === undefined) return undefined;
    if (frozen.engines.length === 0) {
      frozen.thaw();
      await pause(20);
      continue;
    }
    const at = performance.now();
    const engines = withEngines ? frozen.engines.map((engine) => engine.pid) : [];
    for (const engine of engines) signal(engine, "SIGSTOP");
    // Past the lease, its grace and the sweep that finds it: somebody else has the attempt by then.
    await pause(patience);
    for (const engine of engines) signal(engine, "SIGCONT");
    frozen.thaw();
    const thawed = performance.now();
    await processOf(mesh, victim).ready();
    return { kind: "freeze", victim, pid, at, ...unitsOf(frozen.engines), back: performance.now() - thawed };
  }
  return undefined;
}

/** NATS is killed and everything it kept is gone when it starts again. */
export async function loseStore(mesh: TestMesh): Promise<Strike> {
  const { nats, folder } = mesh.mesh;
  const { starts, pid = 0 } = nats;
  const at = performance.now();
  nats.signal("SIGKILL");
  await poll(
    async () => nats.pid,
    (now) => now === undefined,
    AGAIN_MS,
  );
  await rm(join(folder.path, "nats", "store"), { recursive: true, force: true });
  await poll(
    async () => nats.starts,
    (now) => now > starts,
    AGAIN_MS,
  );
  await nats.ready();
  return { kind: "store", victim: "nats", pid, at, hit: [], held: [], back: performance.now() - at };
}

export function scratchOf({ mesh }: TestMesh, worker: string): string {
  return join(mesh.folder.path, worker, "scratch");
}

function unitsOf(engines: readonly EngineProcess[]): Pick<Strike, "hit" | "held"> {
  const unitsWhere = (isMeant: (engine: EngineProcess) => boolean): string[] => [
    ...new Set(engines.filter(isMeant).flatMap(({ unit }) => (unit === undefined ? [] : [unit]))),
  ];
  return { hit: unitsWhere(({ verb }) => verb === "apply"), held: unitsWhere(() => true) };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
