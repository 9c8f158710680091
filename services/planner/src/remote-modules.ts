import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type Git, openGit } from "./git-cli.ts";
import { fetchCommit } from "./git-fetch.ts";
import type { GitSettings } from "./git-process-cli.ts";
import { snapshotCommit } from "./open-snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { createTreeReader } from "./tree-reader.ts";

/** Thrown when a `git::` module cannot be fetched, or its transport is not allowed. */
export class RemoteModuleUnavailableError extends CodedError {
  constructor(url: string, what: string, hint: string, cause?: unknown) {
    super("REMOTE_MODULE_UNAVAILABLE", "unavailable", { where: withoutCredentials(url), what, hint, cause });
  }
}

/** A fetched repository at a commit, and where its files go in an archive. */
export interface RemoteModule {
  readonly snapshot: Snapshot;
  readonly prefix: string;
  /** The module's own folder in the snapshot, where its source says so and not the reference. */
  readonly folder?: string;
}

export interface RemoteModules {
  /** @throws {RemoteModuleUnavailableError} */
  fetch(url: string, ref: string): Promise<RemoteModule>;
  close(): void;
}

export interface RemoteModuleSettings {
  /** Where fetched repositories are kept, bare, one folder a URL. */
  readonly cacheDirectory: string;
  /** `https` and `ssh` unless the operator allows more (`file`). */
  readonly transports: readonly string[];
}

/** Fetches the repositories that `git::` references name, each commit once; a branch or tag is looked up again every time. */
export function createRemoteModules(git: GitSettings, settings: RemoteModuleSettings): RemoteModules {
  const opened = new Map<string, Promise<Git>>();
  // git leaves what it fetched under one name: two fetches into the same folder must not meet.
  const last = new Map<string, Promise<unknown>>();
  const open = async (url: string): Promise<Git> => {
    const directory = join(settings.cacheDirectory, createHash("sha256").update(url).digest("hex").slice(0, 32));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return openGit(directory, git, { init: true });
  };
  return {
    async fetch(url, ref) {
      const transport = transportOf(url);
      if (!settings.transports.includes(transport)) {
        throw new RemoteModuleUnavailableError(
          url,
          `the transport ${transport} is not allowed`,
          `allowed: ${settings.transports.join(", ")}`,
        );
      }
      const repository = opened.get(url) ?? open(url);
      opened.set(url, repository);
      const local = await repository.catch((cause: unknown) => {
        opened.delete(url);
        throw cause;
      });
      const turn = (last.get(url) ?? Promise.resolve()).then(() => fetchCommit(local, git, { url, ref, transport }));
      last.set(
        url,
        turn.catch(() => undefined),
      );
      const commit = await turn.catch((cause: unknown) => {
        const detail = cause instanceof Error ? cause.message : String(cause);
        throw new RemoteModuleUnavailableError(
          url,
          `"${ref}" cannot be fetched: ${detail.replaceAll(url, withoutCredentials(url))}`,
          "check the address, the ref and the credentials",
          cause,
        );
      });
      return {
        snapshot: await snapshotCommit(local, createTreeReader(local), commit),
        prefix: `.xcf-modules/${createHash("sha256").update(url).digest("hex").slice(0, 16)}`,
      };
    },
    close() {
      for (const repository of opened.values())
        void repository.then(
          (git) => git.close(),
          () => undefined,
        );
      opened.clear();
    },
  };
}

/** `https`, `ssh`, `file`; `user@host:path` is ssh. */
function transportOf(url: string): string {
  return /^([a-z]+):\/\//.exec(url)?.[1] ?? "ssh";
}

function withoutCredentials(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/@]*@/, "$1");
}
