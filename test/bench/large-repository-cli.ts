import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A bare repository of many compositions, one module each, written without a work tree. */
export interface LargeRepository {
  readonly directory: string;
  /** Composition number → the numbers it takes outputs from. */
  readonly dependencies: readonly (readonly number[])[];
  /** Commits files on top of main; answers the commit. */
  commit(files: Readonly<Record<string, string>>): string;
  [Symbol.dispose](): void;
}

/** Compositions take outputs of up to three earlier ones; every tenth module includes a shared one. */
export function makeLargeRepository(count: number, random: () => number): LargeRepository {
  const directory = mkdtempSync(join(tmpdir(), "xcf-bench-"));
  const git = (args: readonly string[], input?: string): string =>
    execFileSync("git", args, {
      cwd: directory,
      encoding: "utf8",
      input,
      env: { PATH: process.env.PATH, HOME: directory, GIT_CONFIG_NOSYSTEM: "1" },
      maxBuffer: 1 << 30,
    }).trim();
  git(["init", "--quiet", "--bare", "--initial-branch=main"]);
  const dependencies = Array.from({ length: count }, (_, index) => {
    const wanted = index === 0 ? 0 : Math.floor(random() * 4);
    return [...new Set(Array.from({ length: wanted }, () => Math.floor(random() * index)))];
  });
  const commit = (files: Readonly<Record<string, string>>): string => {
    const parent = commits === 0 ? "" : "from refs/heads/main^0\n";
    commits += 1;
    const changes = Object.entries(files).map(
      ([path, text]) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`,
    );
    git(
      ["fast-import", "--quiet", "--force"],
      `commit refs/heads/main\ncommitter a <a@example.com> ${1_700_000_000 + commits} +0000\ndata 1\nx\n${parent}${changes.join("")}\n`,
    );
    return git(["rev-parse", "main"]);
  };
  let commits = 0;
  const files: Record<string, string> = {
    "modules/shared/main.tf": 'output "name" {\n  value = "n"\n}\n',
    "envs/dev/environment.yaml": environmentText(count),
  };
  for (let index = 0; index < count; index += 1) {
    files[compositionPath(index)] = compositionText(index, dependencies[index] ?? []);
    files[modulePath(index)] = moduleText(index);
  }
  commit(files);
  return {
    directory,
    dependencies,
    commit,
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function environmentText(count: number): string {
  const refs = Array.from(
    { length: count },
    (_, index) => `    - ref: ${compositionPath(index).replace(".yaml", "")}\n`,
  );
  return `apiVersion: xcloudflow.io/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  tier: development\n  compositions:\n${refs.join("")}`;
}

export function compositionPath(index: number): string {
  return `compositions/g${index % 100}/c${index}.yaml`;
}

export function modulePath(index: number): string {
  return `modules/g${index % 100}/m${index}/main.tf`;
}

export function compositionText(index: number, dependencies: readonly number[], size = 1): string {
  const inputs = dependencies.map((other) => `        in${other}: \${outputs.c${other}.m${other}.id}\n`);
  return `apiVersion: xcloudflow.io/v1alpha1
kind: Composition
metadata:
  name: c${index}
  labels: {team: t${index % 20}}
spec:
  lifecycle: ${["Foundation", "Platform", "Application"][index % 3]}
  modules:
    - ref: modules/g${index % 100}/m${index}
      inputs:
        size: ${size}
${inputs.join("")}`;
}

export function moduleText(index: number, marker = 0): string {
  const shared = index % 10 === 0 ? 'module "shared" {\n  source = "../../shared"\n}\n' : "";
  return `variable "size" {\n  type = number\n}\n\nresource "terraform_data" "this" {\n  input = "${index} ${marker}"\n}\n\noutput "id" {\n  value = terraform_data.this.id\n}\n${shared}`;
}
