#!/usr/bin/env node
// Starts xcf under Node 24, whatever Node runs this file: plain JavaScript that Node 20 understands.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as module from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const neededMajor = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

// The sources in a checkout, the bundle where only that was published.
const sources = join(root, "cli", "src", "main.ts");
const entry = existsSync(sources) ? sources : join(root, "dist", "xcf.js");

if (Number(process.versions.node.split(".")[0]) >= neededMajor) await runHere();
else runUnderBundledNode();

async function runHere() {
  stopWithParent();
  silenceExperimentalWarnings();
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  module.enableCompileCache?.(join(cache, "xcloudflow", "compile"));
  await import(pathToFileURL(entry).href);
}

/** node:sqlite is stable enough for us and its warning would be on every command's stderr. */
function silenceExperimentalWarnings() {
  const emit = process.emitWarning.bind(process);
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === "object" ? rest[0]?.type : rest[0];
    if (type !== "ExperimentalWarning" && warning?.name !== "ExperimentalWarning") emit(warning, ...rest);
  };
}

/** Started by the other half of this file: when that is killed, even by SIGKILL, end in an orderly way too. */
function stopWithParent() {
  if (!process.connected) return;
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel?.unref();
}

function runUnderBundledNode() {
  const node = findBundledNode();
  if (node === undefined) {
    console.error(
      `xcf needs Node ${neededMajor} and this is ${process.version}: no Node came with the package for ` +
        `${process.platform}-${process.arch} (optional dependencies left out?); install Node ${neededMajor} and run xcf again`,
    );
    process.exit(1);
  }
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  child.channel?.unref();
  forwardSignals(child);
  child.on("error", (error) => {
    console.error(`xcf cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** Node comes as one optional package a platform, so that npm installs the fitting one without running any script. */
function findBundledNode() {
  const require = module.createRequire(import.meta.url);
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      const path = join(dirname(require.resolve(`${name}/package.json`)), "bin", "node");
      if (existsSync(path)) return path;
    } catch (error) {
      if (error?.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

/** A terminal sends Ctrl-C to both processes by itself; sent again, it would read as the second, impatient one. */
function forwardSignals(child) {
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR2"]) process.on(signal, () => child.kill(signal));
  for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => onTerminal || child.kill(signal));
}
