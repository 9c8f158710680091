import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openGit } from "@xcloudflow/planner/git-cli";
import { snapshotCommit } from "@xcloudflow/planner/open-snapshot";
import { createTreeReader } from "@xcloudflow/planner/tree-reader";
import { unpackArchive } from "@xcloudflow/runner-host/module-archive";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, environment, shopFiles } from "./monorepo-fixture.ts";
import { makePlanner } from "./planner-fixture.ts";

function listTar(archive: Buffer): string[] {
  return execFileSync("tar", ["-tf", "-"], { input: archive, encoding: "utf8" })
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

test("an archive holds the module, what it includes and the variable files, readable by tar and by a runner", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const long = `modules/db/${"deep/".repeat(40)}file.txt`;
  repository.commit({
    ...shopFiles(),
    [long]: "x",
    "modules/other/main.tf": "# not included\n",
    "envs/dev/dev.tfvars": "a = 1\n",
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop"], {
      engineConfig: { terraform: { varFiles: ["${env.name}.tfvars"] } },
    }),
  });
  const { units } = await planner.compile({ repository: repository.directory });
  const db = units.find(({ address }) => address === "dev/payments/db");
  const archive = planner.artefacts.get(db?.module.archive ?? "");
  assert.ok(archive);
  assert.deepEqual(
    listTar(archive),
    ["envs/dev/dev.tfvars", long, "modules/db/main.tf", "modules/naming/main.tf"].sort(),
  );
  assert.equal(db?.module.path, "modules/db");
  assert.deepEqual(db?.engineConfig, { varFiles: ["envs/dev/dev.tfvars"] });
  const folder = mkdtempSync(join(tmpdir(), "xcf-unpack-"));
  unpackArchive(archive, folder);
  assert.ok(existsSync(join(folder, long)) && existsSync(join(folder, "modules/naming/main.tf")));
  rmSync(folder, { recursive: true });
});

test("the same content gives the same archive, in another repository too", async () => {
  using one = makeRepository();
  using two = makeRepository();
  using planner = makePlanner();
  one.commit(shopFiles(), "a@example.com");
  two.commit({ "README.md": "x" }, "b@example.com");
  two.commit(shopFiles(), "b@example.com");
  const [a, b] = [
    await planner.compile({ repository: one.directory }),
    await planner.compile({ repository: two.directory }),
  ];
  assert.deepEqual(
    a.units.map(({ module }) => module),
    b.units.map(({ module }) => module),
  );
  assert.deepEqual(
    a.units.map(({ contentHash }) => contentHash),
    b.units.map(({ contentHash }) => contentHash),
  );
});

test("an executable bit is part of the content", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({ ...shopFiles(), "modules/web/run.sh": "#!/bin/sh\n" });
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.git("update-index", "--chmod=+x", "modules/web/run.sh");
  repository.git("-c", "user.email=a@b", "-c", "user.name=a", "commit", "-qm", "x");
  const { units } = await planner.compile({ repository: repository.directory });
  assert.deepEqual(
    units.filter(({ selected }) => selected).map(({ address }) => address),
    ["dev/shop/web"],
  );
});

for (const [name, target, code] of [
  ["leaves the repository", "../../../../etc/passwd", "SNAPSHOT_UNSAFE"],
  ["is absolute", "/etc/passwd", "SNAPSHOT_UNSAFE"],
  ["points to nothing", "nowhere", "SNAPSHOT_UNSAFE"],
  ["points to a folder that holds it", "..", "SNAPSHOT_UNSAFE"],
  ["points to itself", "link", "SNAPSHOT_UNSAFE"],
] as const) {
  test(`a symbolic link that ${name} is refused where the module is named`, async () => {
    using repository = makeRepository();
    using planner = makePlanner();
    repository.write(shopFiles());
    symlinkSync(target, join(repository.directory, "modules/web/link"));
    repository.commit({});
    await assert.rejects(
      planner.compile({ repository: repository.directory }),
      (error: { problems: { file: string; line: number; code: string; message: string }[] }) => {
        assert.deepEqual(
          error.problems.map((problem) => [problem.file, problem.code]),
          [["compositions/shop.yaml", code]],
        );
        assert.match(error.problems[0]?.message ?? "", /modules\/web\/link/);
        return true;
      },
    );
  });
}

test("a symbolic link inside the repository becomes what it points to, and a change of the target selects", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.write({ ...shopFiles(), "shared/common.txt": "one", "shared/more/a.txt": "a" });
  symlinkSync("../../shared/common.txt", join(repository.directory, "modules/web/common.txt"));
  symlinkSync("../../shared/more", join(repository.directory, "modules/web/more"));
  repository.commit({});
  const first = await planner.compile({ repository: repository.directory });
  const web = first.units.find(({ address }) => address === "dev/shop/web");
  const archive = planner.artefacts.get(web?.module.archive ?? "");
  assert.ok(archive);
  assert.deepEqual(listTar(archive), ["modules/web/common.txt", "modules/web/main.tf", "modules/web/more/a.txt"]);
  planner.apply(first);
  repository.commit({ "shared/common.txt": "two" });
  const { units } = await planner.compile({ repository: repository.directory });
  assert.deepEqual(
    units.filter(({ selected }) => selected).map(({ address }) => address),
    ["dev/shop/web"],
  );
});

test("a module in a submodule is told so", async () => {
  using other = makeRepository();
  using repository = makeRepository();
  using planner = makePlanner();
  other.commit({ "main.tf": "# x\n" });
  repository.commit({ ...shopFiles(), "modules/web": null });
  repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.directory, "modules/web");
  repository.commit({});
  await assert.rejects(
    planner.compile({ repository: repository.directory }),
    (error: { problems: { message: string }[] }) => {
      assert.match(JSON.stringify(error.problems), /submodule|no folder/);
      return true;
    },
  );
});

test("nothing that a repository configures is run by reading it", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({ ...shopFiles(), ".gitattributes": "* filter=evil diff=evil textconv=evil\n" });
  const canary = join(repository.directory, ".git", "canary");
  const command = `touch ${canary}`;
  const configured = {
    "core.fsmonitor": command,
    "core.sshCommand": command,
    "core.pager": command,
    "filter.evil.smudge": command,
    "filter.evil.clean": command,
    "filter.evil.process": command,
    "diff.evil.textconv": command,
    "gpg.program": command,
    "alias.ls-tree": `!${command}`,
    "log.showSignature": "true",
    "core.hooksPath": join(repository.directory, ".git/evil-hooks"),
  };
  mkdirSync(configured["core.hooksPath"]);
  for (const hook of [
    "post-index-change",
    "pre-auto-gc",
    "reference-transaction",
    "fsmonitor-watchman",
    "post-checkout",
  ]) {
    writeFileSync(join(configured["core.hooksPath"], hook), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  }
  for (const [key, value] of Object.entries(configured)) repository.git("config", key, value);
  await planner.compile({ repository: repository.directory });
  repository.write({ "modules/web/extra.tf": "# x\n" });
  await planner.compile({ repository: repository.directory, dirty: true });
  assert.equal(existsSync(canary), false);
  // It fails on what the filter and the monitor answer, once they have run.
  assert.throws(() => repository.git("status"));
  assert.equal(existsSync(canary), true, "the canary works when git is run as usual");
});

test("a reference is a reference and never an option", async () => {
  using repository = makeRepository();
  const head = repository.commit({ "a.txt": "a" });
  const git = await openGit(repository.directory);
  try {
    for (const reference of [
      "--all",
      "--output=/tmp/xcf-injected",
      "-h",
      "",
      "HEAD HEAD",
      "main\nHEAD",
      ":/change",
      "HEAD^{/change}",
      "nope",
      "HEAD:a.txt",
      "HEAD^{tree}",
    ]) {
      await assert.rejects(git.resolveCommit(reference), { code: "COMMIT_UNKNOWN" }, reference);
    }
    for (const reference of ["HEAD", "main", "refs/heads/main", head, head.slice(0, 10), "HEAD~0", "@"])
      assert.equal(await git.resolveCommit(reference), head, reference);
  } finally {
    git.close();
  }
});

test("replaced objects and forged names in a tree are not followed", async () => {
  using repository = makeRepository();
  const head = repository.commit({ "modules/web/main.tf": "good\n" });
  const good = repository.git("rev-parse", "HEAD:modules/web/main.tf");
  repository.commit({ "modules/web/main.tf": "evil\n" });
  repository.git("replace", good, repository.git("rev-parse", "HEAD:modules/web/main.tf"));
  const git = await openGit(repository.directory);
  try {
    const snapshot = await snapshotCommit(git, createTreeReader(git), head);
    const file = snapshot.file("modules/web/main.tf");
    assert.ok(file);
    assert.equal((await snapshot.read([file])).get(good)?.toString(), "good\n");
  } finally {
    git.close();
  }
});

test("a tree that names a folder above it is not unpacked", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const run = (args: string[], input: string | Buffer): string =>
    execFileSync("git", args, { cwd: repository.directory, input, encoding: "utf8" }).trim();
  const blob = run(["hash-object", "-w", "--stdin"], "evil");
  const entry = (mode: string, name: string, oid: string): Buffer =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]);
  const inner = run(["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], entry("100644", "evil.tf", blob));
  const web = run(
    ["hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
    Buffer.concat([entry("40000", "..", inner), entry("100644", "main.tf", blob)]),
  );
  const lines = repository
    .git("ls-tree", "HEAD:modules")
    .split("\n")
    .map((line) => (line.endsWith("\tweb") ? `040000 tree ${web}\tweb` : line));
  const modules = run(["mktree"], `${lines.join("\n")}\n`);
  const root = run(
    ["mktree"],
    `${repository
      .git("ls-tree", "HEAD")
      .split("\n")
      .map((line) => (line.endsWith("\tmodules") ? `040000 tree ${modules}\tmodules` : line))
      .join("\n")}\n`,
  );
  repository.git(
    "update-ref",
    "refs/heads/main",
    execFileSync("git", ["-c", "user.email=a@b", "-c", "user.name=a", "commit-tree", root, "-m", "x"], {
      cwd: repository.directory,
      encoding: "utf8",
    }).trim(),
  );
  await assert.rejects(
    planner.compile({ repository: repository.directory }),
    (error: { problems: { code: string; message: string }[] }) => {
      assert.match(JSON.stringify(error.problems), /SNAPSHOT_UNSAFE.*cannot be part of a module/);
      return true;
    },
  );
});

test("what is no repository, has no commit or no environment is told so", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const empty = mkdtempSync(join(tmpdir(), "xcf-empty-"));
  await assert.rejects(planner.compile({ repository: empty }), { code: "REPOSITORY_UNREADABLE" });
  await assert.rejects(planner.compile({ repository: "relative" }), { code: "REPOSITORY_UNREADABLE" });
  await assert.rejects(planner.compile({ repository: repository.directory }), {
    code: "COMMIT_UNKNOWN",
    hint: "make a first commit",
  });
  repository.commit({ "README.md": "x" });
  await assert.rejects(planner.compile({ repository: repository.directory }), { code: "ENVIRONMENT_UNSPECIFIED" });
  repository.commit({ ...shopFiles(), "envs/prod/environment.yaml": environment("prod", "production", []) });
  await assert.rejects(planner.compile({ repository: repository.directory }), {
    code: "ENVIRONMENT_UNSPECIFIED",
    what: "this commit has 2 environments: dev, prod",
  });
  await assert.rejects(planner.compile({ repository: repository.directory, environment: "prdo" }), {
    code: "ENVIRONMENT_UNKNOWN",
    hint: 'did you mean "prod"?',
  });
  rmSync(empty, { recursive: true });
});

test("a git:: module is fetched at its commit, packed with what it includes, and only by an allowed transport", async () => {
  using other = makeRepository();
  using repository = makeRepository();
  using planner = makePlanner({ transports: ["file"] });
  using strict = makePlanner();
  const commit = other.commit({
    "parts/web/main.tf": 'module "n" {\n  source = "../naming"\n}\n',
    "parts/naming/main.tf": "# n\n",
    "unrelated.txt": "x",
  });
  other.commit({ "parts/naming/main.tf": "# later\n" });
  const ref = `git::file://${other.directory}//parts/web?ref=${commit}`;
  repository.commit({
    ...shopFiles(),
    "compositions/shop.yaml": composition("shop", "Application", [{ name: "web", ref, inputs: {} }]),
  });
  const { units } = await planner.compile({ repository: repository.directory });
  const web = units.find(({ address }) => address === "dev/shop/web");
  assert.equal(web?.engine, "terraform");
  const files = listTar(planner.artefacts.get(web?.module.archive ?? "") ?? Buffer.alloc(0));
  assert.deepEqual(
    files.map((path) => path.replace(/^\.xcf-modules\/[0-9a-f]{16}\//, "")),
    ["parts/naming/main.tf", "parts/web/main.tf"],
  );
  assert.match(web?.module.path ?? "", /^\.xcf-modules\/[0-9a-f]{16}\/parts\/web$/);
  await assert.rejects(
    strict.compile({ repository: repository.directory }),
    (error: { problems: { file: string; code: string }[] }) => {
      assert.deepEqual(
        error.problems.map(({ file, code }) => [file, code]),
        [["compositions/shop.yaml", "REMOTE_MODULE_UNAVAILABLE"]],
      );
      return true;
    },
  );
});

test("authors are all who wrote, committed or co-wrote what is not applied yet", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles(), "Ada@Example.com");
  const first = await planner.compile({ repository: repository.directory });
  assert.deepEqual([first.baseCommit, first.authors], ["", ["ada@example.com"]]);
  planner.apply(first);
  repository.commit(
    { "modules/web/main.tf": "# b\n" },
    "bob@example.com",
    "x\n\nCo-authored-by: Cyn <Cyn@example.com>\nCo-Authored-By: dan@example.com",
  );
  repository.git("-c", "user.name=e", "-c", "user.email=eve@example.com", "commit", "--amend", "--no-edit", "--quiet");
  repository.commit({ ".mailmap": "Nobody <nobody@example.com> <bob@example.com>\n" }, "fay@example.com");
  const second = await planner.compile({ repository: repository.directory });
  assert.equal(second.baseCommit, first.commit);
  assert.deepEqual(second.authors, [
    "bob@example.com",
    "cyn@example.com",
    "dan@example.com",
    "eve@example.com",
    "fay@example.com",
  ]);
});

test("an author is not forgotten because other units were applied since, nor by a base that is asked for", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles(), "ada@example.com");
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({ "modules/web/main.tf": 'variable "url" {}\n# mallory\n' }, "mallory@example.com");
  repository.commit({ "modules/vpc/main.tf": 'output "subnets" {\n  value = ["b"]\n}\n' }, "bob@example.com");
  planner.apply(await planner.compile({ repository: repository.directory, only: ["dev/network/vpc"] }));
  const rest = await planner.compile({ repository: repository.directory });
  assert.deepEqual(
    rest.units.filter(({ selected }) => selected).map(({ address }) => address),
    ["dev/shop/web"],
  );
  assert.ok(rest.authors.includes("mallory@example.com"), rest.authors.join());
  assert.ok(!rest.authors.includes("ada@example.com"));
  const asked = await planner.compile({ repository: repository.directory, base: "HEAD" });
  assert.ok(asked.authors.includes("mallory@example.com"), asked.authors.join());
});
