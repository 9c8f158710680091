// Bundles one process for its image: `bundle-process.ts services/api/src/main.ts dist/api` makes main.js and its chunks.
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { bundleProcess } from "./process-bundle.ts";

const [entry, outdir] = process.argv.slice(2);
if (entry === undefined || outdir === undefined) {
  console.error("usage: bundle-process.ts ENTRY FOLDER");
  process.exit(1);
}
try {
  const folder = resolve(outdir);
  rmSync(folder, { recursive: true, force: true });
  const { bytes, optional, licences } = await bundleProcess(dirname(import.meta.dirname), entry, folder);
  // Node reads .js as a module only where a manifest says so.
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ type: "module", private: true })}\n`);
  writeFileSync(join(folder, "THIRD-PARTY-LICENCES.txt"), licences);
  const outside = optional.length === 0 ? "nothing" : optional.join(", ");
  console.log(`${outdir}: ${Math.round(bytes / 1024)} KiB, asks for but does not need ${outside}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
