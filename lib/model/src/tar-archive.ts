import { CodedError } from "./coded-error.ts";

/** Thrown when a module's archive is not a plain tar, or has an entry that would leave the folder it is unpacked into. */
export class ModuleArchiveInvalidError extends CodedError {
  constructor(what: string) {
    super("MODULE_ARCHIVE_INVALID", "invalid", {
      what: `the module's archive cannot be unpacked: ${what}`,
      hint: "nothing was unpacked or run; plan the commit again",
    });
  }
}

export interface ArchiveEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  readonly executable: boolean;
  /** Of a symlink. */
  readonly target: string;
  readonly data: Uint8Array;
}

const BLOCK = 512;
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Entries of a POSIX tar (ustar with pax extended headers; GNU long names as well). A module's closure is small and
 * already in memory, so that one synchronous pass costs less than a stream.
 *
 * @throws {ModuleArchiveInvalidError}
 */
export function* readArchive(tar: Uint8Array): Generator<ArchiveEntry> {
  let extended = new Map<string, string>();
  for (let offset = 0; offset + BLOCK <= tar.length; ) {
    const header = tar.subarray(offset, offset + BLOCK);
    if (header.every((byte) => byte === 0)) return;
    checkSum(header);
    const size = Number(extended.get("size") ?? readNumber(header, 124, 12));
    const end = offset + BLOCK + size;
    if (!Number.isSafeInteger(size) || size < 0 || end > tar.length)
      throw new ModuleArchiveInvalidError("it ends too early");
    const data = tar.subarray(offset + BLOCK, end);
    offset = end + ((BLOCK - (size % BLOCK)) % BLOCK);

    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "g") continue;
    if (type === "x") {
      extended = readExtendedHeader(data);
      continue;
    }
    if (type === "L" || type === "K") {
      extended.set(type === "L" ? "path" : "linkpath", decode(data).replace(/\0.*$/s, ""));
      continue;
    }
    const prefix = readText(header, 345, 155);
    const name = readText(header, 0, 100);
    const path = extended.get("path") ?? (prefix === "" ? name : `${prefix}/${name}`);
    const target = extended.get("linkpath") ?? readText(header, 157, 100);
    extended = new Map();
    const kind =
      type === "0" || type === "\0" ? "file" : type === "5" ? "directory" : type === "2" ? "symlink" : undefined;
    if (kind === undefined)
      throw new ModuleArchiveInvalidError(`${path} is neither a file, a folder nor a symbolic link`);
    yield { path, type: kind, executable: (readNumber(header, 100, 8) & 0o100) !== 0, target, data };
  }
}

function checkSum(header: Uint8Array): void {
  let sum = 0;
  for (let index = 0; index < BLOCK; index += 1) sum += index >= 148 && index < 156 ? 0x20 : (header[index] ?? 0);
  if (sum !== readNumber(header, 148, 8)) throw new ModuleArchiveInvalidError("a header's checksum is wrong");
}

/** Octal text, or base 256 where the first bit is set (GNU, for sizes past 8 GiB). */
function readNumber(header: Uint8Array, start: number, length: number): number {
  const field = header.subarray(start, start + length);
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) return field.subarray(1).reduce((value, byte) => value * 256 + byte, first & 0x7f);
  const text = readText(header, start, length).trim();
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function readText(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return decode(end === -1 ? field : field.subarray(0, end));
}

function readExtendedHeader(data: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let offset = 0; offset < data.length; ) {
    const space = data.indexOf(0x20, offset);
    const length = Number(decode(data.subarray(offset, space)));
    if (space === -1 || !Number.isSafeInteger(length) || length <= space - offset)
      throw new ModuleArchiveInvalidError("a pax header is malformed");
    const record = decode(data.subarray(space + 1, offset + length - 1));
    const equals = record.indexOf("=");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    offset += length;
  }
  return records;
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw Object.assign(new ModuleArchiveInvalidError("a name in it is not UTF-8"), { cause });
  }
}
