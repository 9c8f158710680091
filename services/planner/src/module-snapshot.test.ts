import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { ARCHIVE_LIMITS, snapshotArchive } from "./module-snapshot.ts";
import { isPublicAddress } from "./public-address.ts";
import { resolvePath } from "./snapshot.ts";
import { packTar } from "./tar.ts";

/** A tar whose entries may be of any type, which `packTar` does not write. */
function tarOf(entries: readonly { path: string; type?: string; target?: string; text?: string }[]): Buffer {
  const blocks = entries.flatMap(({ path, type = "0", target = "", text = "" }) => {
    const tar = packTar([{ path, executable: false, content: Buffer.from(text) }]).subarray(0, -1024);
    tar.write(type, 156, "latin1");
    tar.write(target, 157, 100);
    tar.write("        ", 148, "latin1");
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return [tar];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const refused = { code: "MODULE_ARCHIVE_INVALID" };

test("paths that climb, devices, hard links and files below links are refused", async () => {
  for (const path of ["../x", "a/../../x", "/etc/x", "a/../x", "a\\..\\x"])
    await assert.rejects(snapshotArchive(tarOf([{ path, text: "x" }]), "v"), refused, path);
  for (const type of ["1", "3", "4", "6"])
    await assert.rejects(snapshotArchive(tarOf([{ path: "x", type, target: "y" }]), "v"), refused, type);
  const below = [
    { path: "a", type: "2", target: "/etc" },
    { path: "a/passwd", text: "x" },
  ];
  await assert.rejects(snapshotArchive(tarOf(below), "v"), refused);
  await assert.rejects(snapshotArchive(tarOf([...below].reverse()), "v"), refused);
});

test("a link is followed inside the archive only", async () => {
  const links = [
    { path: "m/out", type: "2", target: "../../etc/passwd" },
    { path: "m/root", type: "2", target: "/etc/passwd" },
    { path: "m/in", type: "2", target: "../n/x" },
    { path: "n/x", text: "x" },
  ];
  const { snapshot } = await snapshotArchive(tarOf(links), "v");
  assert.equal(await resolvePath(snapshot, "m/in"), "n/x");
  await assert.rejects(resolvePath(snapshot, "m/out"), { code: "SNAPSHOT_UNSAFE" });
  await assert.rejects(resolvePath(snapshot, "m/root"), { code: "SNAPSHOT_UNSAFE" });
});

test("a few KiB that unpack to more than is allowed are refused, as are too many entries", async () => {
  const bomb = gzipSync(Buffer.alloc(ARCHIVE_LIMITS.bytes + 1), { level: 1 });
  await assert.rejects(snapshotArchive(bomb, "v"), refused);
  const header = packTar([{ path: "x", executable: false, content: Buffer.alloc(0) }]).subarray(0, 512);
  const many = gzipSync(Buffer.concat(Array.from({ length: ARCHIVE_LIMITS.entries + 1 }, () => header)));
  await assert.rejects(snapshotArchive(many, "v"), refused);
});

test("an archive that is cut or changed anywhere gives its files or is refused, and never anything else", async () => {
  const whole = tarOf([
    { path: "m/main.tf", text: "# x\n" },
    { path: "m/l", type: "2", target: "main.tf" },
  ]);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, bits, cut) => {
        const damaged = Buffer.from(cut ? whole.subarray(0, at) : whole);
        if (!cut) damaged[at] = (damaged[at] ?? 0) ^ bits;
        await snapshotArchive(damaged, "v").catch((error: { code?: string }) => assert.equal(error.code, refused.code));
      },
    ),
    { numRuns: 300 },
  );
});

test("addresses of this machine, of private networks and of metadata services are not public, in whichever spelling", () => {
  const inside =
    "127.0.0.1 10.1.2.3 172.31.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1";
  const inside6 =
    ":: ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 fe80::1 fd00:ec2::254 64:ff9b::7f00:1 2002:7f00:1:: 2001:db8::1 x";
  for (const address of `${inside} ${inside6}`.split(" ")) assert.equal(isPublicAddress(address), false, address);
  for (const address of ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"])
    assert.equal(isPublicAddress(address), true, address);
});
