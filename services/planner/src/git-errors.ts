import { CodedError } from "@xcloudflow/model/coded-error";

/** Thrown when a path or URL is not a Git repository that can be read. */
export class RepositoryUnreadableError extends CodedError {
  constructor(repository: string, detail: string, cause?: unknown) {
    super("REPOSITORY_UNREADABLE", "invalid", {
      where: repository,
      what: `the Git repository cannot be read: ${detail}`,
      hint: "run xcf inside a Git repository, or make one with `xcf init`",
      cause,
    });
  }
}

/** Thrown when a name is not a commit of the repository. */
export class CommitUnknownError extends CodedError {
  readonly reference: string;

  constructor(repository: string, reference: string, shallow = false) {
    super("COMMIT_UNKNOWN", "invalid", {
      where: repository,
      what: `"${reference.slice(0, 200)}" names no commit`,
      hint: shallow
        ? "the clone is shallow; fetch the whole history (`git fetch --unshallow`)"
        : reference === "HEAD"
          ? "make a first commit"
          : "name a branch, tag or commit that has been fetched",
    });
    this.reference = reference;
  }
}

/** Thrown when the git program is missing, fails, or answers what it never should. */
export class GitFailedError extends CodedError {
  constructor(detail: string, cause?: unknown) {
    super("GIT_FAILED", "unavailable", {
      what: `git failed: ${detail}`,
      hint: "`xcf doctor` shows which git is used",
      cause,
    });
  }
}

/** Thrown when a commit holds something that cannot be part of a snapshot. */
export class SnapshotUnsafeError extends CodedError {
  constructor(path: string, what: string, hint: string) {
    super("SNAPSHOT_UNSAFE", "invalid", { where: path, what, hint });
  }
}

/** Thrown when a shared planner is asked for a repository that its operator has not allowed. */
export class RepositoryForbiddenError extends CodedError {
  constructor(repository: string) {
    super("REPOSITORY_FORBIDDEN", "forbidden", {
      where: repository.slice(0, 512),
      what: "this control plane may not read the repository",
      hint: "name it by the URL that an operator has allowed with XCF_REPOSITORIES",
    });
  }
}
