import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a client-streaming upload does not begin with its header, or says it twice. */
export class UploadOrderError extends CodedError {
  constructor(what: string) {
    super("UPLOAD_ORDER_WRONG", "invalid", {
      what,
      hint: "send one message with the header, then messages with data only",
    });
  }
}

/** A message of an upload: its header first, its bytes after that (`oneof part`). */
export interface UploadMessage<Header> {
  readonly part:
    | { readonly case: "header"; readonly value: Header }
    | { readonly case: "data"; readonly value: Uint8Array }
    | { readonly case: undefined; readonly value?: undefined };
}

/** @throws {UploadOrderError} now when the header does not come first, while reading when it comes again. */
export async function splitUpload<Header>(
  messages: AsyncIterable<UploadMessage<Header>>,
): Promise<{ readonly header: Header; readonly data: AsyncIterable<Uint8Array> }> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true || first.value.part.case !== "header")
    throw new UploadOrderError("the upload does not begin with its header");
  return { header: first.value.part.value, data: dataOf(iterator) };
}

async function* dataOf<Header>(iterator: AsyncIterator<UploadMessage<Header>>): AsyncGenerator<Uint8Array> {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    const { part } = next.value;
    if (part.case !== "data") throw new UploadOrderError("the upload has a message without data");
    yield part.value;
  }
}
