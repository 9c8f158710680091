/**
 * JSON text with numbers as Go's policies see them in conftest, which holds each as a double and prints it by `%g`:
 * `1e+06`, `65536`, `1e-05`. Takes plain values, arrays, objects, and `Map`s with string keys.
 */
export function printGoJson(value: unknown): string {
  return print(value, formatGoNumber);
}

/** The same with numbers as `JSON.stringify` and Go's `encoding/json` print them, through which combined files pass. */
export function printEs6Json(value: unknown): string {
  return print(value, String);
}

function print(value: unknown, formatNumber: (value: number) => string): string {
  if (typeof value === "number") return formatNumber(value);
  if (Array.isArray(value)) return `[${value.map((member) => print(member, formatNumber)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
  const members = Array.from(entries, ([key, member]) => `${JSON.stringify(key)}:${print(member, formatNumber)}`);
  return `{${members.join(",")}}`;
}

/** `strconv.FormatFloat(value, 'g', -1, 64)`: the shortest digits, with an exponent below -4 and from 6 on. */
export function formatGoNumber(value: number): string {
  if (Object.is(value, -0)) return "-0";
  const [digits = "0", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
