import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readArchive } from "@xcloudflow/model/tar-archive";
import fc from "fast-check";
import { unpackArchive } from "./module-archive.ts";

describe("module archives", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "xcf-archive-"));
    mkdirSync(join(folder, "in"));
    mkdirSync(join(folder, "out"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const pack = (format: string, ...more: string[]): Buffer =>
    execFileSync("tar", [`--format=${format}`, ...more, "-C", join(folder, "in"), "-cf", "-", "."], {
      maxBuffer: 2 ** 26,
    });

  for (const format of ["ustar", "pax", "gnu"]) {
    it(`unpacks what tar writes as ${format}, long names and modes included`, () => {
      const long = `${"d".repeat(60)}/${"e".repeat(60)}/${format === "ustar" ? "f" : "f".repeat(120)}`;
      mkdirSync(join(folder, "in", long, ".."), { recursive: true });
      writeFileSync(join(folder, "in", long), "long");
      writeFileSync(join(folder, "in/run.sh"), "#!", { mode: 0o755 });
      writeFileSync(join(folder, "in/ü.tf"), "x".repeat(1_000));
      symlinkSync("run.sh", join(folder, "in/link"));
      unpackArchive(pack(format), join(folder, "out"));
      assert.equal(readFileSync(join(folder, "out", long), "utf8"), "long");
      assert.equal(readFileSync(join(folder, "out/ü.tf"), "utf8").length, 1_000);
      assert.equal(readFileSync(join(folder, "out/link"), "utf8"), "#!");
      assert.equal(statSync(join(folder, "out/run.sh")).mode & 0o777, 0o700);
      assert.equal(statSync(join(folder, "out/ü.tf")).mode & 0o777, 0o600);
    });
  }

  const hostile: readonly (readonly [string, () => Buffer])[] = [
    ["a path that climbs", () => pack("ustar", "--transform=s,^\\./x,../../escaped,", "--absolute-names")],
    ["an absolute path", () => pack("ustar", `--transform=s,^\\./x,${tmpdir()}/escaped,`, "--absolute-names")],
  ];
  for (const [name, make] of hostile) {
    it(`refuses ${name}`, () => {
      writeFileSync(join(folder, "in/x"), "evil");
      assert.throws(() => unpackArchive(make(), join(folder, "out")), { code: "MODULE_ARCHIVE_INVALID" });
      assert(!existsSync(join(folder, "../escaped")) && !existsSync(join(tmpdir(), "escaped")));
    });
  }

  it("refuses links that lead out, and files below a link", () => {
    symlinkSync("../../..", join(folder, "in/up"));
    assert.throws(() => unpackArchive(pack("ustar"), join(folder, "out")), { code: "MODULE_ARCHIVE_INVALID" });
    const first = execFileSync("sh", [
      "-c",
      `cd ${folder}/in && rm up && ln -s . l && mkdir d && echo x > d/f && tar --format=ustar -cf - l d --transform='s,^d,l,'`,
    ]);
    assert.throws(() => unpackArchive(first, join(folder, "out")), { code: "MODULE_ARCHIVE_INVALID" });
  });

  it("refuses devices and hard links", () => {
    writeFileSync(join(folder, "in/a"), "x");
    const archive = execFileSync("sh", ["-c", `cd ${folder}/in && ln a b && tar --format=ustar -cf - a b`]);
    assert.throws(() => unpackArchive(archive, join(folder, "out")), { code: "MODULE_ARCHIVE_INVALID" });
  });

  it("refuses a damaged or shortened archive with its own error only", () => {
    writeFileSync(join(folder, "in/a"), "x".repeat(3_000));
    const archive = pack("pax");
    fc.assert(
      fc.property(fc.nat(archive.length - 1), fc.nat(255), fc.nat(archive.length), (at, value, length) => {
        const damaged = Buffer.from(archive.subarray(0, length));
        if (at < damaged.length) damaged[at] = value;
        try {
          for (const entry of readArchive(damaged)) assert(entry.data.length <= archive.length);
        } catch (error) {
          assert(error instanceof Error && "code" in error && error.code === "MODULE_ARCHIVE_INVALID", String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
