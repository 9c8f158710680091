import { createSystemClock } from "@xcloudflow/chassis/clock";
import { runProgram } from "./program.ts";
import type { Surroundings } from "./surroundings.ts";
import { VERSION } from "./version.ts";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());
// A reader that left (`xcf runs | head`) is not an error.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => error.code === "EPIPE" || process.exit(1));

const surroundings: Surroundings = {
  terminal: {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    live: process.stderr.isTTY === true && process.env.CI === undefined,
    columns: process.stderr.columns ?? 100,
    color: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  },
  directory: process.cwd(),
  environment: process.env,
  clock: createSystemClock(),
  version: VERSION,
  self: { executable: process.execPath, arguments: [...process.execArgv, process.argv[1] ?? ""] },
  interrupted: interrupt.signal,
};

process.exitCode = await runProgram(surroundings, process.argv.slice(2));
