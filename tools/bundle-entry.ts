import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";
import { z } from "zod";
import { collectLicences } from "./third-party-licences.ts";

/** What the bundle was made from, as esbuild reports it, and the licences of every package inside. */
export interface Bundle {
  metafile: Metafile;
  licences: string;
}

/** Packages with WebAssembly, native code or data files beside their code: npm installs them, the bundle imports them. */
function externalPackages(root: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.keys(z.object({ dependencies: z.record(z.string(), z.string()) }).parse(manifest).dependencies);
}

/**
 * Bundles an entry and all it imports into `outdir/<name>.js` and chunks that load when they are first imported. What the
 * root package.json names as a dependency stays an import, since it is installed with the package.
 */
export async function bundleEntry(root: string, entry: string, outdir: string, name = "xcf"): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { [name]: entry },
    outdir,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    metafile: true,
    legalComments: "none",
    minifySyntax: true,
    logLevel: "warning",
    // pg asks for its native twin and Cloudflare's sockets only where they are installed.
    external: [...externalPackages(root), "pg-native", "pg-cloudflare", "cloudflare:sockets"],
    // CommonJS packages inside an ES module still call require for what Node brings.
    banner: {
      js: 'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);',
    },
  });
  return { metafile, licences: collectLicences(root, Object.keys(metafile.inputs)) };
}
