import { MESH_SERVICES, type MeshService } from "@xcloudflow/chassis/peer-identity";

/** What a mesh on this machine consists of. */
export interface MeshPlan {
  /** How many of each service. */
  readonly replicas: number;
  /** How many workers of each pool. */
  readonly workers: number;
  readonly pools: readonly MeshPool[];
}

/** Workers of one engine that take one kind of task. */
export interface MeshPool {
  readonly engine: "terraform";
  readonly pool: "plan" | "apply";
}

export const POOLS: readonly MeshPool[] = [
  { engine: "terraform", pool: "plan" },
  { engine: "terraform", pool: "apply" },
];

/** One process of the mesh, before it has ports. */
export type MeshProcessPlan =
  | { readonly kind: "service"; readonly name: string; readonly service: MeshService }
  | { readonly kind: "runner"; readonly name: string; readonly pool: MeshPool };

/** `state-1`, `state-2`, … `terraform-apply-1`: services first, in an order in which few wait for others. */
export function planProcesses({ replicas, workers, pools }: MeshPlan): MeshProcessPlan[] {
  const services = MESH_SERVICES.flatMap((service) =>
    numbers(replicas).map((n) => ({ kind: "service" as const, name: `${service}-${n}`, service })),
  );
  const runners = pools.flatMap((pool) =>
    numbers(workers).map((n) => ({ kind: "runner" as const, name: `${pool.engine}-${pool.pool}-${n}`, pool })),
  );
  return [...services, ...runners];
}

/** The URI in a process's certificate. */
export function identityOf(process: MeshProcessPlan): string {
  return process.kind === "service"
    ? `spiffe://xcloudflow/service/${process.service}`
    : `spiffe://xcloudflow/runner/*/${process.pool.pool}`;
}

/** Services that own tables, and so have a user of their own in the database. */
export const DATABASE_SERVICES = ["api", "audit", "orchestrator", "policy", "secrets", "state"] as const;
export type DatabaseService = (typeof DATABASE_SERVICES)[number];

export function ownsTables(service: MeshService): service is DatabaseService {
  return DATABASE_SERVICES.some((name) => name === service);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
