import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

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
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const field = (key: string): string => {
    const value = Object.getOwnPropertyDescriptor(manifest, key)?.value;
    return typeof value === "string" ? value : "";
  };
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name));
  const text = file !== undefined && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : "";
  if (text === "" && field("license") === "") throw new LicenceMissingError(field("name"));
  return `${field("name")} ${field("version")}\nLicence: ${field("license")}\n\n${text.trim()}\n`;
}
