import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

/**
 * Members of a saved plan, which is a ZIP file (PKWARE APPNOTE 6.3). Used for what costs another terraform process
 * otherwise: the state it was made against, and its lock file. Answers undefined for what is not there or not a ZIP, so
 * that an engine with another format (OpenTofu's encrypted plans) only costs that process again.
 */
export function readPlanArchive(path: string): PlanArchive {
  const bytes = readFileSync(path);
  const members = listMembers(bytes);
  return {
    bytes,
    text(name) {
      const member = members.get(name);
      return member === undefined ? undefined : readMember(bytes, member);
    },
  };
}

export interface PlanArchive {
  /** The whole file. */
  readonly bytes: Uint8Array;
  text(name: "tfstate" | ".terraform.lock.hcl"): string | undefined;
}

interface Member {
  readonly method: number;
  readonly compressed: number;
  readonly size: number;
  readonly offset: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const LARGEST = 512 * 1024 * 1024;

function listMembers(bytes: Buffer): Map<string, Member> {
  const members = new Map<string, Member>();
  let end = bytes.length - END_BYTES;
  while (end >= 0 && bytes.readUInt32LE(end) !== END_SIGNATURE) end -= 1;
  if (end < 0) return members;
  let at = bytes.readUInt32LE(end + 16);
  for (let count = bytes.readUInt16LE(end + 10); count > 0 && at + 46 <= bytes.length; count -= 1) {
    if (bytes.readUInt32LE(at) !== ENTRY_SIGNATURE) break;
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    members.set(name, {
      method: bytes.readUInt16LE(at + 10),
      compressed: bytes.readUInt32LE(at + 20),
      size: bytes.readUInt32LE(at + 24),
      offset: bytes.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return members;
}

function readMember(bytes: Buffer, { method, compressed, size, offset }: Member): string | undefined {
  if (size > LARGEST || offset + 30 > bytes.length) return undefined;
  const start = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
  const data = bytes.subarray(start, start + compressed);
  if (method === 0) return data.toString("utf8");
  if (method !== 8) return undefined;
  try {
    return inflateRawSync(data, { maxOutputLength: size + 1 }).toString("utf8");
  } catch {
    return undefined; // Damaged: terraform itself refuses the plan when it is used.
  }
}
