import { CHUNK_BYTES } from "@xcloudflow/chassis/envelope-encryption";

export interface Piece {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** Cuts a stream into pieces of `pieceBytes`; the last one is shorter, and there is always one, if only an empty one. */
export async function* piecesOf(source: AsyncIterable<Uint8Array>, pieceBytes = CHUNK_BYTES): AsyncGenerator<Piece> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of source) {
    for (let rest = chunk; rest.length > 0; ) {
      // A full piece waits for the next byte: only then is it known not to be the last.
      if (held === pieceBytes) {
        yield { bytes: joined(parts), last: false };
        parts = [];
        held = 0;
      }
      const part = rest.subarray(0, pieceBytes - held);
      parts.push(part);
      held += part.length;
      rest = rest.subarray(part.length);
    }
  }
  yield { bytes: joined(parts), last: true };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts);
}
