import { spawn } from "node:child_process";

/** Runs a benchmark's program with our output; whether it came to its end. */
export async function runBenchmark(file: string): Promise<boolean> {
  const child = spawn(process.execPath, ["--expose-gc", file], { stdio: "inherit" });
  return await new Promise<boolean>((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => done(code === 0));
  });
}
