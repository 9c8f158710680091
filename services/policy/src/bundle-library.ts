import type { Clock } from "@xcloudflow/chassis/clock";
import type { Database } from "@xcloudflow/database/database";
import { tenantScope } from "@xcloudflow/database/scope";
import { ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import type { PolicyTables } from "../migrations/policy-tables.ts";
import { insertBundle, selectBundle } from "./bundle-store.ts";
import type { PolicyBundle } from "./policy-bundle.ts";
import { BundleMissingError } from "./policy-errors.ts";
import { isEmpty, type PolicyTools } from "./policy-tools.ts";

/** Bundles by revision, kept in the database and checked once per process before OPA gets to serve them. */
export interface BundleLibrary {
  /**
   * Keeps a bundle and makes its OPA ready.
   *
   * @throws {ProblemsFoundError} when it does not compile or uses a removed built-in; then it is not kept.
   */
  load(tenant: string, bundle: PolicyBundle): Promise<void>;
  /** @throws {BundleMissingError} when it was never loaded. */
  get(tenant: string, revision: string): Promise<PolicyBundle>;
}

export interface BundleLibraryOptions {
  readonly database: Database<PolicyTables>;
  readonly clock: Clock;
  readonly tools: PolicyTools;
}

/** Remembered as checked; more are checked again, which is cheap. */
const MAX_REMEMBERED = 64;

export function createBundleLibrary({ database, clock, tools }: BundleLibraryOptions): BundleLibrary {
  const known = new Map<string, Promise<PolicyBundle>>();

  function remember(tenant: string, revision: string, prepare: () => Promise<PolicyBundle>): Promise<PolicyBundle> {
    const key = JSON.stringify([tenant, revision]);
    const preparing = known.get(key) ?? prepare();
    known.delete(key);
    known.set(key, preparing);
    preparing.catch(() => {
      if (known.get(key) === preparing) known.delete(key);
    });
    for (const oldest of known.keys()) {
      if (known.size <= MAX_REMEMBERED) break;
      known.delete(oldest);
    }
    return preparing;
  }

  /** Also what is in the database is checked: an older version of the program may have let more pass. */
  async function check(bundle: PolicyBundle): Promise<PolicyBundle> {
    if (isEmpty(bundle)) return bundle;
    const problems = await tools.check(bundle);
    if (problems.some(({ severity }) => severity === "error")) throw new ProblemsFoundError(problems, "policies");
    return bundle;
  }

  async function load(tenant: string, bundle: PolicyBundle): Promise<void> {
    await remember(tenant, bundle.revision, async () => {
      const checked = await check(bundle);
      const scope = tenantScope("policy", tenant, "keep-bundle");
      await database.transaction(scope, (tx) => insertBundle(tx, bundle, clock.now()));
      return checked;
    });
    if (bundle.policies.length > 0) await tools.pool.use(tenant, bundle, async () => undefined);
  }

  async function get(tenant: string, revision: string): Promise<PolicyBundle> {
    return remember(tenant, revision, async () => {
      const scope = tenantScope("policy", tenant, "read-bundle");
      const bundle = await database.transaction(scope, (tx) => selectBundle(tx, revision));
      if (bundle?.revision !== revision) throw new BundleMissingError(revision);
      return check(bundle);
    });
  }

  return { load, get };
}
