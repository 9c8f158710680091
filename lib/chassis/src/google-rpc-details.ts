import type { JsonObject } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Problem } from "@xcloudflow/model/problems-found-error";

/** An error detail already in wire form, as Connect relays it. */
export interface EncodedDetail {
  readonly type: string;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly debug: JsonObject;
}

/** The `domain` of every `google.rpc.ErrorInfo` of this product: its reasons are unique within it. */
export const ERROR_DOMAIN = "xcloudflow.io";

/**
 * `google.rpc.ErrorInfo` (googleapis `google/rpc/error_details.proto`: reason = 1, domain = 2, metadata = 3). Written
 * field by field, since generic gRPC tools know the message and nothing else of that file is needed.
 */
export function encodeErrorInfo(reason: string, metadata: Readonly<Record<string, string>>): EncodedDetail {
  const writer = new BinaryWriter();
  writeText(writer, 1, reason);
  writeText(writer, 2, ERROR_DOMAIN);
  for (const [key, value] of Object.entries(metadata)) {
    writer.tag(3, WireType.LengthDelimited).fork();
    writeText(writer, 1, key);
    writeText(writer, 2, value);
    writer.join();
  }
  return {
    type: "google.rpc.ErrorInfo",
    value: writer.finish(),
    debug: { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } },
  };
}

/** One `google.rpc.BadRequest.FieldViolation`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
}

/** `google.rpc.BadRequest`: field_violations = 1 of {field = 1, description = 2, reason = 3}. */
export function encodeBadRequest(violations: readonly FieldViolation[]): EncodedDetail {
  const writer = new BinaryWriter();
  for (const { field, description, reason } of violations) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writeText(writer, 1, field);
    writeText(writer, 2, description);
    writeText(writer, 3, reason);
    writer.join();
  }
  const fieldViolations = violations.map((violation) => ({ ...violation }));
  return { type: "google.rpc.BadRequest", value: writer.finish(), debug: { fieldViolations } };
}

/** `google.rpc.RetryInfo`: retry_delay = 1, a `google.protobuf.Duration` of {seconds = 1, nanos = 2}. */
export function encodeRetryInfo(milliseconds: number): EncodedDetail {
  const [seconds, nanos] = [Math.floor(milliseconds / 1_000), (milliseconds % 1_000) * 1_000_000];
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  if (seconds > 0) writer.tag(1, WireType.Varint).int64(seconds);
  if (nanos > 0) writer.tag(2, WireType.Varint).int32(nanos);
  writer.join();
  return {
    type: "google.rpc.RetryInfo",
    value: writer.finish(),
    debug: { retryDelay: `${milliseconds / 1_000}s` },
  };
}

/** A problem in a file as a violation of the field `file:line:col`. */
export function violationOf({ file, line, col, code, message }: Problem): FieldViolation {
  return { field: `${file}:${line}:${col}`, description: message, reason: code };
}

function writeText(writer: BinaryWriter, field: number, text: string): void {
  if (text !== "") writer.tag(field, WireType.LengthDelimited).string(text);
}
