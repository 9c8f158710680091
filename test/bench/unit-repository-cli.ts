import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What unit `index` plans; the bare peer plans the same. */
export function unitText(index: number): string {
  return `resource "terraform_data" "a" {\n  input = ${index}\n}\n`;
}

/** A monorepo of one environment with a composition, a module and a resource for each unit; branch `small` has fewer. */
export function makeUnitRepository(folder: string, small: number, large: number): void {
  mkdirSync(folder, { recursive: true });
  const git = (...words: string[]): void => void execFileSync("git", ["-C", folder, ...words], { stdio: "pipe" });
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Bench");
  git("config", "user.email", "bench@example.com");
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const head = (kind: string, name: string): string =>
    `apiVersion: xcloudflow.io/v1alpha1\nkind: ${kind}\nmetadata:\n  name: ${name}\n`;
  write(".gitignore", ".xcf/\n");
  write(".xcf.yaml", `${head("Platform", "platform")}spec: {}\n`);
  const commit = (from: number, to: number): void => {
    for (let index = from; index < to; index++) {
      write(`modules/m${index}/main.tf`, unitText(index));
      write(
        `compositions/c${index}.yaml`,
        `${head("Composition", `c${index}`)}spec:\n  lifecycle: Application\n  changeFrequency: high\n  modules:\n    - ref: modules/m${index}\n`,
      );
    }
    const refs = Array.from({ length: to }, (_, index) => `    - ref: compositions/c${index}\n`);
    write(
      "envs/dev/environment.yaml",
      `${head("Environment", "dev")}spec:\n  tier: development\n  approvals:\n    selfApproval: true\n  compositions:\n${refs.join("")}`,
    );
    git("add", "-A");
    git("commit", "-qm", `${to} units`);
  };
  commit(0, small);
  git("branch", "small");
  commit(small, large);
}
