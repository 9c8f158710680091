import { type Problem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { startBundleEvaluator } from "./bundle-evaluator.ts";
import type { ReportedCheck } from "./conftest-report.ts";
import { evaluateFiles, type FilesQuestion } from "./evaluate-files.ts";
import { createEvaluatorPool, type EvaluatorPool } from "./evaluator-pool.ts";
import { findOpa, type OpaBinary, type OpaPlaces } from "./opa-cli.ts";
import { sweepOpaFiles } from "./opa-files.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { createPolicyChecker, type PolicyChecker } from "./policy-check.ts";
import { InputInvalidError } from "./policy-errors.ts";

export interface PolicyToolsOptions {
  readonly opa: OpaPlaces;
  /** Where scratch folders are made, such as the system's for temporary files; a short path, a socket lives there. */
  readonly folder: string;
  /** How many OPAs stay resident, about 60 MB each; default 4. */
  readonly capacity?: number;
  /** How long one query may take; default 10 s. */
  readonly evaluateTimeoutMs?: number;
}

/** Everything about policies that needs OPA but no database: also what `xcf validate` and `xcf policy eval` use alone. */
export interface PolicyTools {
  readonly pool: EvaluatorPool;
  /** @throws {OpaMissingError} when there is none. */
  opa(): Promise<OpaBinary>;
  check(bundle: PolicyBundle): Promise<Problem[]>;
  test(bundle: PolicyBundle): Promise<{ readonly problems: Problem[]; readonly passed: number }>;
  /**
   * Judges files as conftest does.
   *
   * @throws {ProblemsFoundError} when the policies do not compile, {@link InputInvalidError} when an input cannot be read.
   */
  evaluateFiles(tenant: string, bundle: PolicyBundle, question: FilesQuestion): Promise<ReportedCheck[]>;
  /** Ends every OPA. */
  close(): Promise<void>;
}

const CAPACITY = 4;
const START_TIMEOUT_MS = 10_000;
const EVALUATE_TIMEOUT_MS = 10_000;
/** Tests have a timeout of 5 s each of OPA's own. */
const CHECK_TIMEOUT_MS = 120_000;

/** OPA is looked for when it is first needed: a repository without policies needs none. */
export function createPolicyTools(options: PolicyToolsOptions): PolicyTools {
  const { folder } = options;
  let found: Promise<{ opa: OpaBinary; checker: PolicyChecker }> | undefined;

  async function find(): Promise<{ opa: OpaBinary; checker: PolicyChecker }> {
    const opa = await findOpa(options.opa);
    await sweepOpaFiles(folder);
    return { opa, checker: createPolicyChecker({ opa, folder, timeoutMs: CHECK_TIMEOUT_MS }) };
  }

  function prepared(): Promise<{ opa: OpaBinary; checker: PolicyChecker }> {
    found ??= find().catch((error: unknown) => {
      // It may be installed while we run.
      found = undefined;
      throw error;
    });
    return found;
  }

  const pool = createEvaluatorPool({
    capacity: options.capacity ?? CAPACITY,
    start: async (bundle) => {
      const { opa } = await prepared();
      return startBundleEvaluator(bundle, {
        binary: opa.path,
        folder,
        startTimeoutMs: START_TIMEOUT_MS,
        evaluateTimeoutMs: options.evaluateTimeoutMs ?? EVALUATE_TIMEOUT_MS,
      });
    },
  });

  const tools: PolicyTools = {
    pool,
    opa: async () => (await prepared()).opa,
    check: async (bundle) => (await prepared()).checker.check(bundle),
    test: async (bundle) => (isEmpty(bundle) ? { problems: [], passed: 0 } : (await prepared()).checker.test(bundle)),
    async evaluateFiles(tenant, bundle, question) {
      if (bundle.policies.length === 0) {
        throw new InputInvalidError("policies", "no policies found", "name a folder with *.rego files");
      }
      const problems = await tools.check(bundle);
      if (problems.some(({ severity }) => severity === "error")) throw new ProblemsFoundError(problems, "policies");
      return pool.use(tenant, bundle, (evaluator) => evaluateFiles(evaluator, question));
    },
    close: () => pool.close(),
  };
  return tools;
}

/** Nothing that could judge, so nothing to start OPA for. */
export function isEmpty({ policies, data }: PolicyBundle): boolean {
  return policies.length === 0 && data.length === 0;
}
