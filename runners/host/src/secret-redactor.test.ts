import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SecretText } from "@xcloudflow/model/secret-text";
import fc from "fast-check";
import { cleanLine } from "./log-text.ts";
import { createSecretRedactor } from "./secret-redactor.ts";

const knowing = (...texts: string[]) => {
  const redactor = createSecretRedactor();
  for (const text of texts) redactor.add(new SecretText(text));
  return redactor;
};

describe("secret redactor", () => {
  it("hides a secret of at least four characters in every form a tool may print it in", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 60, unit: "grapheme" }).filter((text) => text.trim().length >= 8),
        fc.string(),
        fc.string(),
        (secret, before, after) => {
          const redactor = knowing(secret);
          const forms = [
            secret,
            JSON.stringify(secret).slice(1, -1),
            encodeURIComponent(secret),
            Buffer.from(secret).toString("base64"),
            Buffer.from(secret).toString("base64url"),
            Buffer.from(secret).toString("hex"),
          ];
          for (const form of forms) assert(!redactor.text(`${before}|${form}|${after}`).includes(`|${form}|`), form);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("hides what is recognisable of a secret inside a longer base64 text, at any offset", () => {
    const redactor = knowing("correct horse battery");
    for (const prefix of ["", "a", "ab", "abc", "user:"]) {
      const text = Buffer.from(`${prefix}correct horse battery and more`).toString("base64");
      assert.notEqual(redactor.text(text), text, prefix);
    }
  });

  it("hides the longer of two secrets whole", () => {
    assert.equal(knowing("hunter", "hunter2-long").text("x hunter2-long y hunter z"), "x (redacted) y (redacted) z");
  });

  it("hides the lines of a key one by one", () => {
    const redactor = knowing("-----BEGIN KEY-----\nMIIEabcdefgh\n-----END KEY-----\n");
    assert.doesNotMatch(redactor.text("  MIIEabcdefgh  "), /MIIE/);
  });

  it("leaves short secrets in texts and knows them as whole values", () => {
    const redactor = knowing("abc");
    assert.equal(redactor.text("abcd abc"), "abcd abc");
    assert.equal(redactor.holds("abc"), true);
    assert.equal(redactor.holds("abcd"), false);
  });

  it("takes characters of patterns literally", () => {
    assert.equal(knowing("a.c*[x]$").text("abc a.c*[x]$"), "abc (redacted)");
  });
});

describe("cleanLine", () => {
  it("leaves nothing that moves a cursor, changes direction or hides text", () => {
    assert.equal(cleanLine("\u001b[31mred\u001b[0m \u001b]0;title\u0007x\u202ey\u0000z\tt\r"), "red xyz\tt");
    assert.equal(cleanLine("10%\r50%\r100%"), "100%");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
        assert.doesNotMatch(cleanLine(text), /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  it("cuts what is too long", () => {
    assert(cleanLine("x".repeat(10_000_000)).length < 9_000);
  });
});
