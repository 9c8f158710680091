import { ENGINES } from "../route-settings.ts";
import type { Environment } from "./environment.ts";
import type { Monorepo } from "./monorepo-index.ts";
import { didYouMean } from "./nearest.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { problemAtKey, problemAtValue } from "./report.ts";
import { parseSecretReference } from "./secret-reference.ts";
import { checkReconcile } from "./setting-checks.ts";
import type { Path } from "./source.ts";
import { walkStrings } from "./walk-strings.ts";

/** Names that documents borrow from `.xcf.yaml` and from each other: engines, secret backends, credentials, tenants. */
export function checkPlatform(monorepo: Monorepo, problems: Problem[]): void {
  checkTenants(monorepo, problems);
  for (const document of monorepo.environments.values()) {
    checkReconcile(document, ["spec"], document.value.spec, problems);
    checkCredentials(monorepo, document, problems);
  }
  const documents: ParsedDocument[] = [...monorepo.environments.values(), ...monorepo.compositions.values()];
  if (monorepo.platform !== undefined) documents.push(monorepo.platform);
  for (const document of documents) {
    checkSecrets(monorepo, document, problems);
    checkEngines(monorepo, document, problems);
  }
}

function checkTenants(monorepo: Monorepo, problems: Problem[]): void {
  const { platform } = monorepo;
  if (platform === undefined) return;
  const claims = new Map<string, string>();
  for (const [tenant, { environments }] of Object.entries(platform.value.spec.tenants ?? {})) {
    for (const [index, environment] of (environments ?? []).entries()) {
      const path = ["spec", "tenants", tenant, "environments", index];
      if (!monorepo.environments.has(environment)) {
        const hint = didYouMean(environment, () => monorepo.environments.keys(), "add it under envs/", problems.length);
        problems.push(
          problemAtValue(platform, path, {
            code: "ENVIRONMENT_MISSING",
            message: `there is no environment "${environment}"`,
            hint,
          }),
        );
      }
      const other = claims.get(environment);
      if (other !== undefined) {
        const message = `the environment "${environment}" belongs to "${other}" and to "${tenant}"`;
        problems.push(
          problemAtValue(platform, path, {
            code: "ENVIRONMENT_CLAIMED",
            message,
            hint: "an environment belongs to one tenant",
          }),
        );
      }
      claims.set(environment, tenant);
    }
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CREDENTIAL_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** A role is a credential's name or a cloud's own spelling; what looks like a name and is none is probably a slip. */
function checkCredentials(monorepo: Monorepo, document: ParsedDocument<Environment>, problems: Problem[]): void {
  const known = Object.keys(monorepo.platform?.value.spec.credentials ?? {});
  for (const [account, roles] of Object.entries(document.value.spec.credentials ?? {})) {
    for (const field of ["planRole", "applyRole"] as const) {
      const role = roles[field];
      if (role === undefined || known.includes(role) || !CREDENTIAL_NAME.test(role) || UUID.test(role)) continue;
      problems.push(
        problemAtValue(document, ["spec", "credentials", account, field], {
          code: "CREDENTIAL_MISSING",
          message: `.xcf.yaml has no credential "${role}"`,
          hint: didYouMean(role, () => known, "add it to spec.credentials, or write the role as the cloud spells it"),
          severity: "warning",
        }),
      );
    }
  }
}

function checkSecrets(monorepo: Monorepo, document: ParsedDocument, problems: Problem[]): void {
  if (!document.source.text.includes("secret://")) return;
  const backends = ["env", ...Object.keys(monorepo.platform?.value.spec.secrets?.backends ?? {})];
  const { value } = document;
  walkStrings(value.spec, ["spec"], (text, path) => {
    if (!text.startsWith("secret://") || text.includes("${")) return;
    const reference = parseSecretReference(text);
    if (reference === undefined) {
      problems.push(
        problemAtValue(document, path, {
          code: "SECRET_SYNTAX",
          message: `"${text.slice(0, 100)}" is no secret reference`,
          hint: "write secret://<backend>/<path>#<key>",
        }),
      );
    } else if (!backends.includes(reference.backend)) {
      const hint = didYouMean(
        reference.backend,
        () => backends,
        `add it to spec.secrets.backends of .xcf.yaml; there are ${backends.join(", ")}`,
      );
      problems.push(
        problemAtValue(document, path, {
          code: "SECRET_BACKEND_MISSING",
          message: `there is no secrets backend "${reference.backend}"`,
          hint,
        }),
      );
    }
  });
}

function checkEngines(monorepo: Monorepo, document: ParsedDocument, problems: Problem[]): void {
  const known: readonly string[] = [...ENGINES, ...Object.keys(monorepo.platform?.value.spec.engines ?? {})];
  for (const { engine, path } of namedEngines(document)) {
    if (known.includes(engine)) continue;
    const hint = didYouMean(
      engine,
      () => known,
      `there are ${known.join(", ")}; declare others in spec.engines of .xcf.yaml`,
    );
    problems.push(
      problemAtValue(document, path, { code: "ENGINE_UNKNOWN", message: `there is no engine "${engine}"`, hint }),
    );
  }
  if (document.value.kind === "Environment" || document.value.kind === "Composition") {
    for (const engine of Object.keys(document.value.spec.engineConfig ?? {})) {
      if (known.includes(engine)) continue;
      const hint = didYouMean(engine, () => known, `there are ${known.join(", ")}`);
      problems.push(
        problemAtKey(document, ["spec", "engineConfig", engine], {
          code: "ENGINE_UNKNOWN",
          message: `there is no engine "${engine}"`,
          hint,
        }),
      );
    }
  }
}

function* namedEngines({ value }: ParsedDocument): Generator<{ readonly engine: string; readonly path: Path }> {
  if (value.kind === "Composition") {
    if (value.spec.engine !== undefined) yield { engine: value.spec.engine, path: ["spec", "engine"] };
    for (const [index, { engine }] of value.spec.modules.entries()) {
      if (engine !== undefined) yield { engine, path: ["spec", "modules", index, "engine"] };
    }
  }
  if (value.kind === "Environment" || value.kind === "Platform") {
    for (const [lifecycle, row] of Object.entries(value.spec.matrix ?? {})) {
      for (const [index, engine] of (row?.engines ?? []).entries()) {
        yield { engine, path: ["spec", "matrix", lifecycle, "engines", index] };
      }
    }
  }
}
