import type { SecretText } from "@xcloudflow/model/secret-text";

const HIDDEN = "(redacted)";
/** Anything shorter would take ordinary words and numbers out of a log without hiding much. */
const SHORTEST = 4;

/** Knows an attempt's secrets and takes them out of text, in the forms in which tools print them. */
export interface SecretRedactor {
  add(secret: SecretText): void;
  /** The text with every known secret replaced: raw, base64, URL-escaped and JSON-escaped. */
  text(text: string): string;
  /** Whether the text is a known secret, however short, or has one of at least four characters inside. */
  holds(text: string): boolean;
}

export function createSecretRedactor(): SecretRedactor {
  const forms = new Set<string>();
  const exact = new Set<string>();
  let compiled: RegExp | undefined;

  function pattern(): RegExp {
    // Longest first: a secret inside another one must not leave the rest of the longer one standing.
    compiled ??= new RegExp(
      [...forms]
        .sort((a, b) => b.length - a.length)
        .map(escapePattern)
        .join("|"),
      "g",
    );
    return compiled;
  }

  return {
    add(secret) {
      const raw = secret.reveal();
      if (raw === "" || exact.has(raw)) return;
      exact.add(raw);
      for (const form of formsOf(raw)) if (form.length >= SHORTEST) forms.add(form);
      compiled = undefined;
    },
    text: (text) => (forms.size === 0 ? text : text.replaceAll(pattern(), HIDDEN)),
    holds: (text) => exact.has(text) || (forms.size > 0 && text.search(pattern()) !== -1),
  };
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function formsOf(raw: string): string[] {
  const bytes = Buffer.from(raw, "utf8");
  const escaped = JSON.stringify(raw).slice(1, -1);
  const lines = raw.includes("\n") ? raw.split(/\r?\n/).filter((line) => line.length >= 2 * SHORTEST) : [];
  return [
    raw,
    raw.trim(),
    escaped,
    // A JSON text inside a JSON text, as in a log line that quotes a document.
    JSON.stringify(escaped).slice(1, -1),
    ...base64Forms(bytes),
    bytes.toString("hex"),
    encodeURIComponent(raw),
    encodeURIComponent(raw).replaceAll("%20", "+"),
    ...lines,
  ];
}

/** Of the secret alone, and of what remains recognisable when it stands at any offset inside a longer encoded text. */
function base64Forms(bytes: Buffer): string[] {
  const whole = [bytes.toString("base64").replace(/=+$/, ""), bytes.toString("base64url")];
  if (bytes.length < 8) return whole;
  const shifted = [1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    return text.slice(offset === 1 ? 2 : 3).replace(/.{0,2}=*$/, "");
  });
  const open = bytes.length % 3 === 0 ? [] : [bytes.subarray(0, bytes.length - (bytes.length % 3)).toString("base64")];
  return [...whole, ...shifted, ...open].filter((form) => form.length >= 8);
}
