import { z } from "zod";
import { hashLeaf } from "./merkle.ts";
import { NoteMalformedError } from "./signed-note.ts";

/**
 * One line of an exported log. `leaf` is the event's JSON text exactly as it was hashed; `hash` is the leaf's hash in
 * base64, so that a changed line names itself even to whoever has only the file.
 */
export const exportLineSchema = z.strictObject({
  index: z.number().int().nonnegative(),
  hash: z.string(),
  leaf: z.string(),
});
export type ExportLine = z.infer<typeof exportLineSchema>;

/** Without its line feed. */
export function formatExportLine(index: number, leaf: Uint8Array): string {
  return JSON.stringify({
    index,
    hash: Buffer.from(hashLeaf(leaf)).toString("base64"),
    leaf: new TextDecoder("utf-8", { fatal: true }).decode(leaf),
  } satisfies ExportLine);
}

const VERIFIER = "verifier-key ";

/** A checkpoint file: the signed note, then one line with the verifier key it was signed under. */
export function formatCheckpointFile(note: string, verifierKey: string): string {
  return `${note}${VERIFIER}${verifierKey}\n`;
}

/** Also reads a bare note, which names no key. @throws {NoteMalformedError} when there is no note. */
export function parseCheckpointFile(text: string): { readonly note: string; readonly verifierKey: string | undefined } {
  const unix = text.replaceAll("\r\n", "\n");
  const at = unix.lastIndexOf(`\n${VERIFIER}`);
  const note = at < 0 ? unix : unix.slice(0, at + 1);
  if (!note.includes("\n\n")) throw new NoteMalformedError("the checkpoint file holds no signed note");
  return { note, verifierKey: at < 0 ? undefined : unix.slice(at + 1 + VERIFIER.length).trim() };
}
