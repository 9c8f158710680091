import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Piece, piecesOf } from "./pieces.ts";

test("pieces are full but the last, keep every byte in order, and exactly one is the last", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 })),
      fc.integer({ min: 1, max: 16 }),
      async (chunks, size) => {
        const source = (async function* () {
          yield* chunks;
        })();
        const pieces: Piece[] = [];
        for await (const piece of piecesOf(source, size)) pieces.push(piece);
        assert.deepEqual(Buffer.concat(pieces.map(({ bytes }) => bytes)), Buffer.concat(chunks));
        assert.deepEqual(
          pieces.map(({ last }) => last).lastIndexOf(true),
          pieces.findIndex(({ last }) => last),
        );
        assert.equal(pieces.at(-1)?.last, true);
        for (const { bytes } of pieces.slice(0, -1)) assert.equal(bytes.length, size);
        assert.ok(pieces.length === 1 || (pieces.at(-1)?.bytes.length ?? 0) > 0);
      },
    ),
  );
});
