import { type ChangeFrequency, type Lifecycle, lifecycleSchema } from "./lifecycle.ts";
import type { Backup, DriftPolicy, EngineName, GateKind, ReconcileStrategy } from "./route-settings.ts";

/** What frequency moves inside a row: how often a unit is looked at, and how many units change at once. Never the gate. */
export interface MatrixCell {
  readonly interval: string;
  readonly concurrency: number;
}

/** One row of the decision matrix. */
export interface MatrixRow {
  /** Words of a module's path that usually belong to this class. */
  readonly typicalResources: readonly string[];
  /** Engines from the most to the least preferred; the module's content has the first word. */
  readonly engines: readonly EngineName[];
  readonly strategy: ReconcileStrategy;
  readonly drift: DriftPolicy;
  readonly gate: GateKind;
  /** Whether the gate also asks for a change window. */
  readonly asksWindow: boolean;
  readonly backup: Backup;
  /** How much data may be lost at most: the range promised, shortest first; empty where there is nothing to lose. */
  readonly rpo: readonly string[];
  /** Life of a unit when nobody says otherwise. */
  readonly ttl: string | undefined;
  readonly usualFrequency: ChangeFrequency;
  /** Pairs that are allowed and odd. */
  readonly oddFrequencies: readonly ChangeFrequency[];
  readonly cells: Readonly<Record<ChangeFrequency, MatrixCell>>;
}

/** Lifecycle × change frequency: the platform's defaults, the only place where they are written. */
export const MATRIX: Readonly<Record<Lifecycle, MatrixRow>> = {
  Foundation: {
    typicalResources: [
      "vpc",
      "vnet",
      "vswitch",
      "subnet",
      "subnets",
      "network",
      "nat",
      "kms",
      "dns-zone",
      "eks",
      "gke",
      "aks",
      "ack",
      "k8s-cluster",
    ],
    engines: ["terraform", "pulumi"],
    strategy: "on_drift",
    drift: "alert",
    gate: "forced",
    asksWindow: true,
    backup: "configuration",
    rpo: [],
    ttl: undefined,
    usualFrequency: "low",
    oddFrequencies: ["high"],
    cells: {
      low: { interval: "24h", concurrency: 1 },
      medium: { interval: "12h", concurrency: 2 },
      high: { interval: "6h", concurrency: 4 },
    },
  },
  Platform: {
    typicalResources: [
      "rds",
      "cloudsql",
      "kafka",
      "msk",
      "redis",
      "elasticache",
      "bucket",
      "s3",
      "gcs",
      "oss",
      "queue",
      "sqs",
      "ingress",
      "lb",
      "alb",
      "nlb",
      "slb",
    ],
    engines: ["kubernetes", "provider", "terraform", "pulumi"],
    strategy: "periodic",
    drift: "correct",
    gate: "environment",
    asksWindow: false,
    backup: "pre-change",
    rpo: ["15m", "60m"],
    ttl: undefined,
    usualFrequency: "medium",
    oddFrequencies: [],
    cells: {
      low: { interval: "30m", concurrency: 2 },
      medium: { interval: "15m", concurrency: 4 },
      high: { interval: "5m", concurrency: 8 },
    },
  },
  Application: {
    typicalResources: ["deployment", "hpa", "statefulset", "daemonset", "helm-release", "dns-record"],
    engines: ["kubernetes", "provider", "playbook", "terraform", "pulumi"],
    strategy: "continuous",
    drift: "correct",
    gate: "automatic",
    asksWindow: false,
    backup: "none",
    rpo: [],
    ttl: undefined,
    usualFrequency: "high",
    oddFrequencies: [],
    cells: {
      low: { interval: "15m", concurrency: 8 },
      medium: { interval: "5m", concurrency: 16 },
      high: { interval: "1m", concurrency: 32 },
    },
  },
  Config: {
    typicalResources: [],
    engines: ["playbook", "kubernetes", "provider", "terraform", "pulumi"],
    strategy: "on_change",
    drift: "correct",
    gate: "automatic",
    asksWindow: false,
    backup: "none",
    rpo: [],
    ttl: undefined,
    usualFrequency: "high",
    oddFrequencies: [],
    cells: {
      low: { interval: "24h", concurrency: 8 },
      medium: { interval: "6h", concurrency: 16 },
      high: { interval: "1h", concurrency: 32 },
    },
  },
  Ephemeral: {
    typicalResources: [],
    engines: ["provider", "kubernetes", "terraform", "pulumi", "playbook"],
    strategy: "continuous",
    drift: "collect",
    gate: "none",
    asksWindow: false,
    backup: "none",
    rpo: [],
    ttl: "72h",
    usualFrequency: "high",
    oddFrequencies: ["low"],
    cells: {
      low: { interval: "15m", concurrency: 8 },
      medium: { interval: "5m", concurrency: 16 },
      high: { interval: "1m", concurrency: 32 },
    },
  },
};

const WORDS: ReadonlyMap<string, Lifecycle> = new Map(
  Object.entries(MATRIX).flatMap(([lifecycle, row]) =>
    row.typicalResources.map((word): [string, Lifecycle] => [word, lifecycleSchema.parse(lifecycle)]),
  ),
);

/**
 * The class that a module's path speaks of, when it is another one than the composition's. Config and Ephemeral hold
 * resources of any kind, and a path that speaks of two classes says nothing.
 */
export function unusualClass(
  lifecycle: Lifecycle,
  ref: string,
): { readonly word: string; readonly lifecycle: Lifecycle } | undefined {
  if (lifecycle === "Config" || lifecycle === "Ephemeral") return undefined;
  const last =
    ref
      .replace(/[?#@].*$/, "")
      .split("/")
      .at(-1) ?? "";
  const parts = last.toLowerCase().split(/[^a-z0-9]+/);
  const candidates = [last.toLowerCase(), ...parts, ...parts.map((part, index) => `${part}-${parts[index + 1] ?? ""}`)];
  const found = candidates.flatMap((word) => {
    const usual = WORDS.get(word);
    return usual === undefined ? [] : [{ word, lifecycle: usual }];
  });
  const [first] = found;
  const isClear = found.every((other) => other.lifecycle === first?.lifecycle);
  return first !== undefined && isClear && first.lifecycle !== lifecycle ? first : undefined;
}
