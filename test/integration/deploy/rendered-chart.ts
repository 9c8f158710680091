import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

const root = dirname(dirname(dirname(import.meta.dirname)));
export const chartFolder = join(root, "deploy/helm/xcloudflow");

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()),
  securityContext: z.looseObject({
    runAsNonRoot: z.boolean(),
    readOnlyRootFilesystem: z.boolean(),
    allowPrivilegeEscalation: z.boolean(),
    capabilities: z.object({ drop: z.array(z.string()) }),
    seccompProfile: z.object({ type: z.string() }),
  }),
  resources: z.object({ requests: z.record(z.string(), z.unknown()), limits: z.record(z.string(), z.unknown()) }),
  env: z.array(z.object({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() })),
  envFrom: z.array(z.object({ secretRef: z.object({ name: z.string() }) })).default([]),
});

const podTemplate = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  spec: z.looseObject({
    serviceAccountName: z.string(),
    automountServiceAccountToken: z.boolean(),
    terminationGracePeriodSeconds: z.number().optional(),
    securityContext: z.looseObject({ runAsNonRoot: z.boolean(), runAsUser: z.number() }),
    containers: z.array(container).length(1),
    initContainers: z.array(container).default([]),
  }),
});

const resource = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.looseObject({}).optional(),
});

export type Resource = z.infer<typeof resource>;
export type PodTemplate = z.infer<typeof podTemplate>;

const rendered = new Map<string, string>();

/** What `helm template` prints with that values file of ours, or with the chart's own values. */
export function renderChart(helm: string, values: string | undefined, settings: string[] = []): string {
  const files = values === undefined ? [] : ["--values", valuesFile(values)];
  const sets = settings.flatMap((setting) => ["--set", setting]);
  const args = ["template", "mesh", chartFolder, "--namespace", "xcf", "--kube-version", "1.34.0", ...files, ...sets];
  const key = args.join(" ");
  const output = rendered.get(key) ?? execFileSync(helm, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  rendered.set(key, output);
  return output;
}

export function valuesFile(values: string): string {
  return join(import.meta.dirname, "values", `${values}.yaml`);
}

export function readResources(rendered: string): Resource[] {
  const documents = parseAllDocuments(rendered).map((document) => document.toJS());
  return documents.filter((document) => document !== null).map((document) => resource.parse(document));
}

/** The pod template of whatever starts pods: Deployments, Jobs, and the Jobs that KEDA makes. */
export function podTemplateOf({ kind, spec }: Resource): PodTemplate | undefined {
  if (kind === "Deployment" || kind === "Job") return podTemplate.parse(spec?.["template"]);
  if (kind !== "ScaledJob") return undefined;
  return podTemplate.parse(z.looseObject({ template: z.unknown() }).parse(spec?.["jobTargetRef"]).template);
}

export function componentOf(pod: PodTemplate): string {
  return pod.metadata.labels["app.kubernetes.io/component"] ?? "";
}
