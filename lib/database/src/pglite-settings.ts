import type { PGliteOptions } from "@electric-sql/pglite";

/** Writes `bytea` parameters in PostgreSQL's hex form; PGlite's own way takes many times the memory. */
function serializeBytes(value: unknown): string {
  if (!(value instanceof Uint8Array)) throw new TypeError("a bytea parameter must be a Uint8Array");
  return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
}

/**
 * PGlite's defaults (one process, no workers, synchronous I/O) but for memory: a control plane's tables are small and the
 * operating system caches the files, so 128 MB of shared buffers would only be counted twice.
 */
export const pgliteSettings = {
  relaxedDurability: false,
  serializers: { 17: serializeBytes },
  startParams: [
    ...["--single", "-F", "-O", "-j"],
    ...["search_path=public", "exit_on_error=false", "log_checkpoints=false", "io_method=sync"].flatMap(setting),
    ...["max_worker_processes=0", "max_parallel_workers=0", "max_parallel_workers_per_gather=0"].flatMap(setting),
    ...["max_parallel_maintenance_workers=0", "shared_buffers=16MB", "max_connections=8"].flatMap(setting),
    // Tables are small and few columns are asked for: a small sample says enough.
    ...["default_statistics_target=20"].flatMap(setting),
  ],
} satisfies PGliteOptions;

/** V8's optimizing compiler takes half a gigabyte over one of PostgreSQL's functions and makes no query faster (measured). */
export const pgliteEngineFlags = ["--no-wasm-tier-up", "--no-wasm-dynamic-tiering"] as const;

function setting(assignment: string): string[] {
  return ["-c", assignment];
}
