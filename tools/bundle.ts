// Makes dist/, which `npm pack` ships: the command line and the embedded control plane in one bundle. Run by `prepack`.
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundleEntry } from "./bundle-entry.ts";

const root = dirname(import.meta.dirname);
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
const { metafile, licences } = await bundleEntry(root, "cli/src/main.ts", dist);
writeFileSync(join(dist, "THIRD-PARTY-LICENCES.txt"), licences);
const bytes = Object.values(metafile.outputs).reduce((total, output) => total + output.bytes, 0);
// stdout belongs to npm, whose --json output would break.
console.error(`dist: ${Object.keys(metafile.outputs).length} files, ${Math.round(bytes / 1024)} KiB`);
