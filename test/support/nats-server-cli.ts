import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { requireEngine } from "./engines.ts";

/** A real nats-server with JetStream on loopback, its store in a temporary folder; gone when the test process ends. */
export interface NatsServer {
  readonly url: string;
  readonly directory: string;
  /** Ends it as told (default SIGKILL) and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** On the same port again, with what is left in its store. */
  start(): Promise<void>;
  /** What a careless hand does: the files go, the server is not asked. */
  deleteStore(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

/** What must not outlive the test process; one listener for all servers. */
const leftAtExit = new Set<() => void>();
process.once("exit", () => {
  for (const clean of leftAtExit) clean();
});

/** `config` is in nats-server's own format; `DIRECTORY` in it is the server's folder. */
export async function startNatsServer(config = "", scheme = "nats"): Promise<NatsServer> {
  const { path } = requireEngine("nats-server");
  const directory = mkdtempSync(join(tmpdir(), "xcf-nats-"));
  const store = join(directory, "store");
  const file = join(directory, "nats.conf");
  const body = config.replaceAll("DIRECTORY", directory);
  let port = -1;
  let child: ChildProcess | undefined;

  leftAtExit.add(() => {
    child?.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    await writeFile(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${store}" }\n${body}\n`);
    child = spawn(path, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    port = await untilReady(child);
    child.unref();
  }

  await start();
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    directory,
    start,
    async stop(signal = "SIGKILL") {
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      const gone = once(ending, "exit");
      ending.ref();
      ending.kill(signal);
      await gone;
    },
    signal: (signal) => void child?.kill(signal),
    deleteStore: () => rm(store, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function untilReady(server: ChildProcess): Promise<number> {
  if (server.stderr === null) throw new Error("nats-server has no standard error");
  const log: string[] = [];
  const lines = createInterface({ input: server.stderr });
  const port = await new Promise<number>((resolve, reject) => {
    let found = 0;
    lines.on("line", (line) => {
      log.push(line);
      const [, listening] = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
      if (listening !== undefined) found = Number(listening);
      if (line.includes("Server is ready")) resolve(found);
    });
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`nats-server exited with ${code}:\n${log.join("\n")}`)));
  });
  // The log goes on being read, so that the server never waits for a full pipe, but does not keep this process alive.
  if ("unref" in server.stderr && typeof server.stderr.unref === "function") server.stderr.unref();
  return port;
}
