import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { defaultModuleName, parseModuleRef } from "./module-ref.ts";
import { normalizeRepositoryPath } from "./repository-path.ts";

const SHA = "0123456789abcdef0123456789abcdef01234567";

describe("a module reference", () => {
  const good: readonly [string, unknown, name: string][] = [
    ["modules/aws/rds-cluster", { kind: "local", path: "modules/aws/rds-cluster" }, "rds-cluster"],
    ["./modules//aws/./rds/", { kind: "local", path: "modules/aws/rds" }, "rds"],
    ["playbooks/Agent_Install", { kind: "local", path: "playbooks/Agent_Install" }, "agent-install"],
    [
      "registry://acme/vpc/aws@5.1.0",
      { kind: "registry", host: undefined, namespace: "acme", name: "vpc", system: "aws", version: "5.1.0" },
      "vpc",
    ],
    [
      "registry://registry.example.com:8443/acme/vpc/aws@1.0.0-rc.1",
      {
        kind: "registry",
        host: "registry.example.com:8443",
        namespace: "acme",
        name: "vpc",
        system: "aws",
        version: "1.0.0-rc.1",
      },
      "vpc",
    ],
    [
      `git::https://example.com/infra.git//modules/vpc?ref=${SHA}`,
      { kind: "git", url: "https://example.com/infra.git", directory: "modules/vpc", ref: SHA, pinned: true },
      "vpc",
    ],
    [
      `git::ssh://git@example.com/infra.git?ref=${SHA}`,
      { kind: "git", url: "ssh://git@example.com/infra.git", directory: ".", ref: SHA, pinned: true },
      "infra",
    ],
    [
      "git::git@example.com:team/infra.git//vpc?ref=v1.2.0",
      { kind: "git", url: "git@example.com:team/infra.git", directory: "vpc", ref: "v1.2.0", pinned: false },
      "vpc",
    ],
  ];
  for (const [text, ref, name] of good) {
    test(text, () => {
      assert.deepEqual(parseModuleRef(text), { ok: true, ref });
      assert.equal(defaultModuleName(text), name);
    });
  }

  const bad: readonly [string, code: string][] = [
    ["../x", "REF_OUTSIDE"],
    ["modules/../../x", "REF_OUTSIDE"],
    ["/etc/passwd", "REF_OUTSIDE"],
    ["~/x", "REF_OUTSIDE"],
    ["C:\\x", "REF_OUTSIDE"],
    ["modules\\x", "REF_OUTSIDE"],
    ["modules/x\n", "REF_OUTSIDE"],
    [".", "REF_OUTSIDE"],
    [".git/hooks", "REF_OUTSIDE"],
    [".xcf/db", "REF_OUTSIDE"],
    ["https://example.com/x.tgz", "REF_INVALID"],
    ["registry://acme/vpc/aws", "REF_INVALID"],
    ["registry://../vpc/aws@1", "REF_INVALID"],
    [`git::https://example.com/x.git//../..?ref=${SHA}`, "REF_OUTSIDE"],
    ["git::https://example.com/x.git", "REF_UNPINNED"],
    ["git::https://example.com/x.git?ref=--upload-pack=x", "REF_UNPINNED"],
    ["git::https://example.com/x.git?ref=a b", "REF_UNPINNED"],
    [`git::ext::sh -c touch?ref=${SHA}`, "REF_INVALID"],
    [`git::--upload-pack=x?ref=${SHA}`, "REF_INVALID"],
    [`git::-oProxyCommand=x@host:y?ref=${SHA}`, "REF_INVALID"],
    [`git::ssh://-oProxyCommand=x/y?ref=${SHA}`, "REF_INVALID"],
  ];
  for (const [text, code] of bad) {
    test(`${JSON.stringify(text)}: ${code}`, () => {
      const result = parseModuleRef(text);
      assert.equal(result.ok ? "accepted" : result.code, code);
    });
  }

  test("a path that is accepted stays inside, whatever it is made of", () => {
    const part = fc.constantFrom("..", ".", "", "a", ".git", "~", "\\", "a b", "…", ".xcf", "c:");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const path = normalizeRepositoryPath(parts.join("/"));
        if (path === undefined) return;
        const segments = path.split("/");
        assert.ok(
          segments.length > 0 && segments.every((segment) => segment !== "" && segment !== "." && segment !== ".."),
        );
        assert.notEqual(segments[0], ".git");
        assert.equal(normalizeRepositoryPath(path), path);
      }),
    );
  });

  test("a default name is always a name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(defaultModuleName(text))),
    );
  });
});
