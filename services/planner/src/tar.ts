/** A regular file of an archive; archives of modules hold nothing else. */
export interface TarFile {
  /** Relative, `/` separated, without `..`. */
  readonly path: string;
  readonly executable: boolean;
  readonly content: Uint8Array;
}

const BLOCK = 512;
const encoder = new TextEncoder();

/**
 * A POSIX ustar archive (IEEE Std 1003.1, "pax Interchange Format") of the files in the order of their paths: the same
 * files give the same bytes, since owners are 0 and times are the epoch. A path that ustar cannot hold gets a pax header.
 */
export function packTar(files: readonly TarFile[]): Buffer {
  const blocks: Uint8Array[] = [];
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const { path, executable, content } of sorted) {
    const split = splitPath(path);
    if (split === undefined) {
      const record = paxRecord("path", path);
      blocks.push(header({ name: "pax", prefix: "" }, record.length, 0o644, "x"), record, padding(record.length));
    }
    blocks.push(header(split ?? { name: "file", prefix: "" }, content.length, executable ? 0o755 : 0o644, "0"));
    blocks.push(content, padding(content.length));
  }
  blocks.push(new Uint8Array(2 * BLOCK));
  return Buffer.concat(blocks);
}

function padding(length: number): Uint8Array {
  return new Uint8Array((BLOCK - (length % BLOCK)) % BLOCK);
}

interface SplitPath {
  readonly name: string;
  readonly prefix: string;
}

/** ustar holds 100 bytes of name and, before a slash, 155 of prefix. */
function splitPath(path: string): SplitPath | undefined {
  if (encoder.encode(path).length <= 100) return { name: path, prefix: "" };
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    const prefix = path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (encoder.encode(prefix).length > 155) return undefined;
    if (name !== "" && encoder.encode(name).length <= 100) return { name, prefix };
  }
  return undefined;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return encoder.encode(`${length} ${key}=${value}\n`);
}

function header({ name, prefix }: SplitPath, size: number, mode: number, type: string): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string): void => block.set(encoder.encode(text), offset);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  put(0, name);
  put(100, `${octal(mode, 7)}\0`);
  put(108, `${octal(0, 7)}\0`);
  put(116, `${octal(0, 7)}\0`);
  put(124, `${octal(size, 11)}\0`);
  put(136, `${octal(0, 11)}\0`);
  put(148, "        ");
  put(156, type);
  put(257, "ustar\u000000");
  put(345, prefix);
  let sum = 0;
  for (const byte of block) sum += byte;
  put(148, `${octal(sum, 6)}\0 `);
  return block;
}
