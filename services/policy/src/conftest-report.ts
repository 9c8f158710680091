import { addChecks, type Check, type CheckFinding, type Judged } from "./conftest-conventions.ts";

/** One element of conftest's `--output json`. Empty lists are absent. */
export interface ReportedCheck {
  readonly filename: string;
  readonly namespace: string;
  readonly successes: number;
  readonly warnings?: readonly CheckFinding[];
  readonly failures?: readonly CheckFinding[];
  readonly exceptions?: readonly CheckFinding[];
}

export function reportCheck(path: string, namespace: string, checks: readonly Check[]): ReportedCheck {
  const { successes, warnings, failures, exceptions } = addChecks(namespace, checks);
  return {
    filename: path === "-" ? "" : path,
    namespace,
    successes,
    ...(warnings.length === 0 ? {} : { warnings: warnings.map(withoutRule) }),
    ...(failures.length === 0 ? {} : { failures: failures.map(withoutRule) }),
    ...(exceptions.length === 0 ? {} : { exceptions }),
  };
}

function withoutRule({ msg, loc, metadata }: Judged): CheckFinding {
  return { msg, ...(loc === undefined ? {} : { loc }), ...(metadata === undefined ? {} : { metadata }) };
}
