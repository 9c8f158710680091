import { isBuiltin } from "node:module";
import type { Metafile } from "esbuild";
import { bundleEntry } from "./bundle-entry.ts";

/** One process as its image has it. */
export interface ProcessBundle {
  bytes: number;
  /** Packages left outside that are asked for only when something is used that a mesh process does not use. */
  optional: string[];
  licences: string;
}

/** Thrown when a process cannot start without a package that the bundle leaves outside: its image has no node_modules. */
export class PackageOutsideBundleError extends Error {
  constructor(entry: string, packages: string[]) {
    super(
      `${entry} imports ${packages.join(", ")} as it starts, which stays outside the bundle; import it where it is used`,
    );
    this.name = "PackageOutsideBundleError";
  }
}

/** Bundles `entry` into `outdir/main.js`. */
export async function bundleProcess(root: string, entry: string, outdir: string): Promise<ProcessBundle> {
  const { metafile, licences } = await bundleEntry(root, entry, outdir, "main");
  const needed = outsidePackages(metafile, reachedAtStart(metafile));
  if (needed.length > 0) throw new PackageOutsideBundleError(entry, needed);
  const outputs = Object.entries(metafile.outputs);
  return {
    bytes: outputs.reduce((total, [, output]) => total + output.bytes, 0),
    optional: outsidePackages(metafile, new Set(outputs.map(([path]) => path)), ["dynamic-import", "require-call"]),
    licences,
  };
}

/** The entry and the chunks it imports before its first line runs. */
function reachedAtStart({ outputs }: Metafile): Set<string> {
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const { path: next, kind, external } of outputs[path]?.imports ?? []) {
      if (kind === "import-statement" && !external) visit(next);
    }
  };
  // Dynamic imports are entry points too for esbuild; only the one called main is ours.
  for (const path of Object.keys(outputs)) if (/(^|\/)main\.js$/.test(path)) visit(path);
  return reached;
}

function outsidePackages({ outputs }: Metafile, paths: Set<string>, kinds = ["import-statement"]): string[] {
  const imports = [...paths].flatMap((path) => outputs[path]?.imports ?? []);
  const outside = imports.filter(({ external, kind, path }) => external && kinds.includes(kind) && !isBuiltin(path));
  return [...new Set(outside.map(({ path }) => path))].sort();
}
