import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const manifestShape = z.object({ name: z.string(), version: z.string(), license: z.string().default("") });

/** Thrown when a package that would be shipped has no licence text to ship with it. */
export class LicenceMissingError extends Error {
  constructor(name: string) {
    super(`${name} has neither a licence file nor a licence in its package.json, so it cannot be bundled`);
    this.name = "LicenceMissingError";
  }
}

/** The folders below node_modules, innermost package, that bundled files come from; sorted, each once. */
export function packageFolders(inputs: string[]): string[] {
  const folders = inputs.flatMap((input) => {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    return match?.[1] === undefined ? [] : [match[1]];
  });
  return [...new Set(folders)].sort();
}

/** Names, versions and licence texts of every package that the inputs come from, as one document. */
export function collectLicences(root: string, inputs: string[]): string {
  return packageFolders(inputs)
    .map((folder) => describeLicence(join(root, folder)))
    .join(`\n${"-".repeat(100)}\n\n`);
}

function describeLicence(folder: string): string {
  const { name, version, license } = manifestShape.parse(
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
  );
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8");
  if (text === "" && license === "") throw new LicenceMissingError(name);
  return `${name} ${version}\nLicence: ${license}\n\n${text.trim()}\n`;
}
