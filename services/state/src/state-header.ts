import { EngineStateInvalidError } from "./state-errors.ts";

/** What the service must know of a state; everything else in it is the engine's and is not looked at. */
export interface StateHeader {
  readonly serial: bigint;
  readonly lineage: string;
}

/** Reads a state's header from its bytes as they pass, so that a state of any size needs no memory for it. */
export interface StateHeaderReader {
  /** @throws {EngineStateInvalidError} as soon as the bytes cannot be a JSON object. */
  push(chunk: Uint8Array): void;
  /** @throws {EngineStateInvalidError} when the object is not complete or lacks a header field. */
  end(): StateHeader;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const WHITE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** 1 for bytes that are skipped inside the outermost object's members: all but quotes and brackets. */
const MEANS_NOTHING_INSIDE = Uint8Array.from({ length: 256 }, (_, byte) =>
  [QUOTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY].includes(byte) ? 0 : 1,
);

/** Names and values longer than this are none of ours. */
const MOST_CAPTURED = 512;
const MOST_DEPTH = 10_000;
const HIGHEST_SERIAL = 2n ** 63n - 1n;

/**
 * Walks JSON byte by byte, following strings and brackets only, and captures names and scalar values of the outermost
 * object. As with Go's decoder, the last of two equal names counts.
 */
export function createStateHeaderReader(): StateHeaderReader {
  const open: number[] = [];
  const fields = new Map<string, string>();
  let begun = false;
  let inString = false;
  let escaped = false;
  let name: string | undefined;
  let captured: number[] = [];
  let capturing = true;

  const outermost = (): boolean => open.length === 1;

  function capture(byte: number): void {
    if (!outermost() || !capturing) return;
    captured.push(byte);
    if (captured.length > MOST_CAPTURED) capturing = false;
  }

  function takeCaptured(): string | undefined {
    const text = capturing ? Buffer.from(captured).toString("utf8").trim() : undefined;
    captured = [];
    capturing = true;
    return text;
  }

  function endValue(): void {
    const value = takeCaptured();
    if (name !== undefined && value !== undefined) fields.set(name, value);
    name = undefined;
  }

  function structure(byte: number): void {
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (!begun && byte !== OPEN_OBJECT) throw new EngineStateInvalidError("it does not begin with {");
      if (begun && open.length === 0) throw new EngineStateInvalidError("something follows its end");
      if (outermost()) capturing = false;
      begun = true;
      open.push(byte);
      if (open.length > MOST_DEPTH) throw new EngineStateInvalidError("it is nested too deeply");
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (outermost()) endValue();
      const opened = open.pop();
      if (opened !== (byte === CLOSE_OBJECT ? OPEN_OBJECT : OPEN_ARRAY))
        throw new EngineStateInvalidError("its brackets do not match");
    } else if (outermost() && byte === COLON) {
      name = parseText(takeCaptured());
    } else if (outermost() && byte === COMMA) {
      endValue();
    } else {
      if (open.length === 0 && !WHITE.has(byte)) throw new EngineStateInvalidError("it is not one JSON object");
      capture(byte);
    }
  }

  /** The end of the string that goes on at `from`, or of the chunk. Most of a state is in here. */
  function endOfString(chunk: Buffer, from: number, backslash: number): number {
    const quote = chunk.indexOf(QUOTE, from);
    const end = quote < 0 ? chunk.length : quote;
    return backslash >= from && backslash < end ? backslash : end;
  }

  return {
    push(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      let backslash = bytes.indexOf(BACKSLASH);
      for (let at = 0; at < bytes.length; at++) {
        if (inString && !escaped && !(outermost() && capturing)) {
          if (backslash >= 0 && backslash < at) backslash = bytes.indexOf(BACKSLASH, at);
          at = endOfString(bytes, at, backslash);
        } else if (!inString && open.length > 1) {
          while (MEANS_NOTHING_INSIDE[bytes[at] ?? QUOTE] === 1) at++;
        }
        if (at >= bytes.length) return;
        const byte = bytes[at] ?? 0;
        if (inString) {
          capture(byte);
          if (escaped) escaped = false;
          else if (byte === BACKSLASH) escaped = true;
          else if (byte === QUOTE) inString = false;
        } else if (byte === QUOTE) {
          if (open.length === 0) throw new EngineStateInvalidError("it is not one JSON object");
          inString = true;
          capture(byte);
        } else {
          structure(byte);
        }
      }
    },
    end() {
      if (!begun) throw new EngineStateInvalidError("it is empty");
      if (inString || open.length > 0) throw new EngineStateInvalidError("it is cut off");
      return { serial: parseSerial(fields.get("serial")), lineage: parseLineage(fields.get("lineage")) };
    },
  };
}

function parseSerial(text: string | undefined): bigint {
  if (text === undefined || !/^\d{1,19}$/.test(text))
    throw new EngineStateInvalidError("`serial` is not a whole number");
  const serial = BigInt(text);
  if (serial > HIGHEST_SERIAL) throw new EngineStateInvalidError("`serial` is too large");
  return serial;
}

function parseLineage(text: string | undefined): string {
  const lineage = parseText(text);
  if (lineage === undefined) throw new EngineStateInvalidError("`lineage` is not a string");
  return lineage;
}

function parseText(json: string | undefined): string | undefined {
  if (json === undefined || !json.startsWith('"')) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" ? value : undefined;
  } catch (cause) {
    throw new EngineStateInvalidError("a string in it is not JSON", cause);
  }
}
