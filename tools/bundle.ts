// Makes dist/, which `npm pack` ships: the command line and the embedded control plane in one bundle. Run by `prepack`.
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundleEntry } from "./bundle-entry.ts";

const root = dirname(import.meta.dirname);
const dist = join(root, "dist");

try {
  rmSync(dist, { recursive: true, force: true });
  const { metafile, licences } = await bundleEntry(root, "cli/src/main.ts", dist);
  writeFileSync(join(dist, "THIRD-PARTY-LICENCES.txt"), licences);
  // For editors and programs of those who have no checkout.
  cpSync(join(root, "lib/model/schema"), join(dist, "schema"), { recursive: true });
  cpSync(join(root, "cli/schema"), join(dist, "schema", "output"), { recursive: true });
  const outputs = Object.values(metafile.outputs);
  const kibibytes = Math.round(outputs.reduce((total, output) => total + output.bytes, 0) / 1024);
  // stdout belongs to npm, whose --json output would break.
  console.error(`dist: ${outputs.length} files, ${kibibytes} KiB`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
