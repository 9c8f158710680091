import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CodedError } from "@xcloudflow/model/coded-error";

const run = promisify(execFile);

/** Thrown when a verb needs a Git repository and there is none. */
export class RepositoryMissingError extends CodedError {
  constructor(directory: string, cause: unknown) {
    super("REPOSITORY_MISSING", "invalid", {
      where: directory,
      what: "this folder is not inside a Git repository",
      hint: "`xcf init` makes one",
      cause,
    });
  }
}

/** Thrown when the caller has no name. */
export class IdentityMissingError extends CodedError {
  constructor(cause: unknown) {
    super("IDENTITY_MISSING", "invalid", {
      what: "nobody has said who you are",
      hint: "set XCF_USER, or `git config user.email you@example.com`",
      cause,
    });
  }
}

/** Top folder of the repository that holds `directory`. */
export async function findRepository(directory: string): Promise<string> {
  try {
    const { stdout } = await run("git", ["rev-parse", "--show-toplevel"], { cwd: directory });
    return stdout.trim();
  } catch (cause) {
    if (cause instanceof Error && "syscall" in cause && cause.syscall === "spawn git") throw new GitMissingError(cause);
    throw new RepositoryMissingError(directory, cause);
  }
}

/** Thrown when there is no git to ask. */
export class GitMissingError extends CodedError {
  constructor(cause: unknown) {
    super("GIT_MISSING", "unavailable", {
      what: "git is not on PATH",
      hint: "install it; `xcf doctor` lists what is needed",
      cause,
    });
  }
}

/** `git config user.email`, the default identity. */
export async function readGitIdentity(directory: string): Promise<string> {
  const name = await run("git", ["config", "--get", "user.email"], { cwd: directory }).then(
    ({ stdout }) => stdout.trim(),
    (cause: unknown) => {
      throw new IdentityMissingError(cause);
    },
  );
  if (name === "") throw new IdentityMissingError(undefined);
  return name;
}

/** The commit a revision names now, so that everything a verb does is about the same one. */
export async function resolveCommit(repository: string, revision: string): Promise<string> {
  try {
    const { stdout } = await run("git", ["rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`], {
      cwd: repository,
    });
    return stdout.trim();
  } catch (cause) {
    await findRepository(repository);
    throw new RevisionMissingError(revision, cause);
  }
}

/** Text of the YAML files of a commit below some folders, path → text. */
export async function readCommitFiles(
  repository: string,
  commit: string,
  folders: readonly string[],
): Promise<Map<string, string>> {
  const options = { cwd: repository, maxBuffer: LARGEST_TREE };
  const { stdout } = await run("git", ["ls-tree", "-r", "-z", "--name-only", commit, "--", ...folders], options);
  const paths = stdout.split("\0").filter((path) => /\.ya?ml$/.test(path));
  const texts = await Promise.all(
    paths.map((path) => run("git", ["cat-file", "blob", `${commit}:${path}`], options).then((file) => file.stdout)),
  );
  return new Map(paths.map((path, index) => [path, texts[index] ?? ""]));
}

const LARGEST_TREE = 64 * 1024 * 1024;

/** Thrown when a revision names no commit. */
export class RevisionMissingError extends CodedError {
  constructor(revision: string, cause: unknown) {
    super("REVISION_MISSING", "invalid", {
      what: `"${revision}" names no commit here`,
      hint: revision === "HEAD" ? "commit something first" : "`git log --all` lists commits",
      cause,
    });
  }
}
