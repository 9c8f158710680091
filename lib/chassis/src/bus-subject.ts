import { BusSubjectInvalidError } from "./bus-errors.ts";

const PLAIN = /[A-Za-z0-9_-]/;

/** One subject token for any text: every other byte becomes `=` and two hex digits, so that `prod/app` is `prod=2Fapp`. */
export function escapeSubjectToken(text: string): string {
  if (text === "") return "=";
  let token = "";
  for (const byte of new TextEncoder().encode(text)) {
    const letter = String.fromCharCode(byte);
    token += byte < 0x80 && PLAIN.test(letter) ? letter : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** The text `escapeSubjectToken` was given. */
export function unescapeSubjectToken(token: string): string {
  if (token === "=") return "";
  const bytes: number[] = [];
  for (let at = 0; at < token.length; at++) {
    if (token[at] === "=") {
      bytes.push(Number.parseInt(token.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(token.charCodeAt(at));
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Whether a subject falls under a pattern with NATS wildcards. */
export function matchesSubject(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const given = subject.split(".");
  for (const [place, token] of wanted.entries()) {
    if (token === ">" && place === wanted.length - 1) return given.length > place;
    if (given[place] === undefined) return false;
    if (token !== "*" && token !== given[place]) return false;
  }
  return given.length === wanted.length;
}

/** @throws {BusSubjectInvalidError} when nothing can be published there. */
export function checkSubject(subject: string): void {
  checkTokens(subject);
  if (/[*>]/.test(subject)) throw new BusSubjectInvalidError(subject, "wildcards are for patterns only");
}

/** @throws {BusSubjectInvalidError} when nothing could ever match. */
export function checkPattern(pattern: string): void {
  checkTokens(pattern);
  const tokens = pattern.split(".");
  for (const [place, token] of tokens.entries()) {
    if (token === "*" || (token === ">" && place === tokens.length - 1)) continue;
    if (/[*>]/.test(token))
      throw new BusSubjectInvalidError(pattern, "a wildcard must be a token of its own, and > the last one");
  }
}

function checkTokens(subject: string): void {
  if (/\s/.test(subject)) throw new BusSubjectInvalidError(subject, "spaces are not allowed");
  if (subject.split(".").includes("")) throw new BusSubjectInvalidError(subject, "a token is empty");
}
