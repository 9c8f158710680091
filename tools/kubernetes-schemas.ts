import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** The kinds a chart of ours may render; each becomes a file that kubeconform finds by its default naming. */
const kinds: Record<string, string> = {
  "configmap-v1": "io.k8s.api.core.v1.ConfigMap",
  "cronjob-batch-v1": "io.k8s.api.batch.v1.CronJob",
  "deployment-apps-v1": "io.k8s.api.apps.v1.Deployment",
  "ingress-networking-v1": "io.k8s.api.networking.v1.Ingress",
  "job-batch-v1": "io.k8s.api.batch.v1.Job",
  "networkpolicy-networking-v1": "io.k8s.api.networking.v1.NetworkPolicy",
  "persistentvolumeclaim-v1": "io.k8s.api.core.v1.PersistentVolumeClaim",
  "poddisruptionbudget-policy-v1": "io.k8s.api.policy.v1.PodDisruptionBudget",
  "secret-v1": "io.k8s.api.core.v1.Secret",
  "service-v1": "io.k8s.api.core.v1.Service",
  "serviceaccount-v1": "io.k8s.api.core.v1.ServiceAccount",
  "statefulset-apps-v1": "io.k8s.api.apps.v1.StatefulSet",
};

const groupVersionKind = z.object({ group: z.string(), version: z.string(), kind: z.string() });
const definition = z.looseObject({
  properties: z.record(z.string(), z.looseObject({})).optional(),
  additionalProperties: z.unknown().optional(),
  "x-kubernetes-group-version-kind": z.array(groupVersionKind).optional(),
});
const openApi = z.object({ definitions: z.record(z.string(), definition) });

type Definition = z.infer<typeof definition>;

/** Writes `<kind>-<group>-<version>.json` for each kind into `folder`, from the text of an OpenAPI document. */
export function layOutKubernetesSchemas(folder: string, document: string): void {
  const { definitions } = openApi.parse(JSON.parse(document));
  for (const [file, name] of Object.entries(kinds)) {
    writeFileSync(join(folder, `${file}.json`), `${JSON.stringify(kindSchema(name, definitions))}\n`);
  }
}

/**
 * One kind as a JSON Schema that stands alone, with every definition it reaches. Strict: OpenAPI leaves unknown fields
 * open, and an API server drops them without a word, so that a misspelt field is a setting nobody has.
 */
export function kindSchema(name: string, definitions: Record<string, Definition>): object {
  const reached = new Map<string, Definition>();
  const visit = (next: string) => {
    if (reached.has(next)) return;
    const found = definitions[next];
    if (found === undefined) throw new Error(`the OpenAPI document has no ${next}; has cli-runtime moved it?`);
    reached.set(next, closeDefinition(next, found));
    for (const match of JSON.stringify(found).matchAll(/"#\/definitions\/([^"]+)"/g)) visit(match[1] ?? "");
  };
  visit(name);
  const own = definitions[name]?.["x-kubernetes-group-version-kind"]?.[0];
  const apiVersion = own === undefined || own.group === "" ? own?.version : `${own.group}/${own.version}`;
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    $ref: `#/definitions/${name}`,
    definitions: {
      ...Object.fromEntries(reached),
      [name]: {
        ...reached.get(name),
        required: ["apiVersion", "kind", "metadata"],
        properties: {
          ...reached.get(name)?.properties,
          apiVersion: { const: apiVersion },
          kind: { const: own?.kind },
        },
      },
    },
  };
}

/** Quantities and ports are written as numbers too, whatever the OpenAPI document calls them. */
function closeDefinition(name: string, found: Definition): Definition {
  if (name.endsWith(".Quantity") || name.endsWith(".IntOrString")) return { type: ["string", "integer", "number"] };
  const open = found.properties === undefined || found.additionalProperties !== undefined;
  return open ? found : { ...found, additionalProperties: false };
}
