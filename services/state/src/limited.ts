import { UploadTooLargeError } from "./state-errors.ts";

/** The stream's bytes, as long as they are not more than `limit`. @throws {UploadTooLargeError} */
export async function* limited(source: AsyncIterable<unknown>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("the stream does not give bytes");
    size += chunk.length;
    if (size > limit) throw new UploadTooLargeError(limit);
    yield chunk;
  }
}
