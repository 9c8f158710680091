import { CodedError } from "@xcloudflow/model/coded-error";

const OPA_HINT = "install OPA 1.0 or newer and put it on PATH; `xcf doctor` says where it is looked for";

/** Thrown when no usable `opa` binary is found. Nothing is allowed without one. */
export class OpaMissingError extends CodedError {
  constructor(tried: readonly string[], cause?: unknown) {
    super("OPA_MISSING", "unavailable", {
      what: `no usable opa binary (${tried.length === 0 ? "nowhere to look" : tried.join("; ")})`,
      hint: OPA_HINT,
      cause,
    });
  }
}

/** Thrown when OPA cannot answer: it died, does not start, or takes too long. It never means "allow". */
export class PolicyUnavailableError extends CodedError {
  /** OPA ended while it was asked, so a new one may well answer. */
  readonly askAgain: boolean;

  constructor(
    what: string,
    more: { readonly revision?: string; readonly cause?: unknown; readonly askAgain?: boolean } = {},
  ) {
    super("POLICY_UNAVAILABLE", "unavailable", {
      what: `policy cannot be evaluated: ${what}`,
      where: more.revision === undefined ? undefined : `policy bundle ${more.revision}`,
      hint: "nothing is allowed until OPA answers; try again, and see `xcf doctor`",
      cause: more.cause,
    });
    this.askAgain = more.askAgain ?? false;
  }
}

/** Thrown when a policy is asked for by a revision that was never loaded. */
export class BundleMissingError extends CodedError {
  constructor(revision: string) {
    super("POLICY_BUNDLE_MISSING", "notFound", {
      what: "no such policy bundle",
      where: `policy bundle ${revision}`,
      hint: "load the policies of the commit again; planning does so",
    });
  }
}

/** Thrown when a file cannot be part of a bundle: its path leaves it, comes twice, or it is too much. */
export class BundleInvalidError extends CodedError {
  constructor(where: string, what: string, hint: string) {
    super("POLICY_BUNDLE_INVALID", "invalid", { where, what, hint });
  }
}

/** Thrown when OPA stops with an error while evaluating: rules that contradict each other, or call a built-in wrongly. */
export class PolicyEvaluationFailedError extends CodedError {
  constructor(where: string, what: string) {
    super("POLICY_EVALUATION_FAILED", "invalid", {
      where,
      what: `the policies stopped with an error: ${what}`,
      hint: "correct the policy; a policy that fails allows nothing",
    });
  }
}

/** Thrown when a rule's results do not have the shape its name promises, such as a `deny` object without `msg`. */
export class PolicyResultInvalidError extends CodedError {
  constructor(where: string, what: string, hint: string) {
    super("POLICY_RESULT_INVALID", "invalid", { where, what, hint });
  }
}

/** Thrown when a file to be judged is not a document policies can be asked about. */
export class InputInvalidError extends CodedError {
  constructor(file: string, what: string, hint: string, cause?: unknown) {
    super("POLICY_INPUT_INVALID", "invalid", { where: file, what, hint, cause });
  }
}
