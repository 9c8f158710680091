import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { expectedProcesses } from "./expected-processes.ts";
import {
  chartFolder,
  componentOf,
  type PodTemplate,
  podTemplateOf,
  readResources,
  renderChart,
  valuesFile,
} from "./rendered-chart.ts";

const helm = requireEngine("helm");
const kubeconform = requireEngine("kubeconform");
const schemas = requireEngine("kubernetes-schemas");
const variants = [undefined, "everything", "pod-isolation", "plain"];
const secretLike = /PASSWORD|TOKEN|DATABASE.*_URL|_USER$/;

function pods(values: string | undefined): PodTemplate[] {
  return readResources(renderChart(helm.path, values)).flatMap((resource) => podTemplateOf(resource) ?? []);
}

function validate(manifests: string): string {
  const pattern = "{{ .ResourceKind }}{{ .KindSuffix }}.json";
  const places = [schemas.path, join(import.meta.dirname, "schemas")];
  const locations = places.flatMap((place) => ["-schema-location", join(place, pattern)]);
  return execFileSync(kubeconform.path, ["-strict", "-summary", ...locations], { input: manifests, encoding: "utf8" });
}

for (const values of variants) {
  const name = values ?? "the chart's own";
  const skip = helm.skip || kubeconform.skip || schemas.skip;

  test(`helm lint finds nothing with ${name} values`, { skip: helm.skip }, () => {
    const files = values === undefined ? [] : ["--values", valuesFile(values)];
    execFileSync(helm.path, ["lint", "--strict", "--kube-version", "1.34.0", chartFolder, ...files]);
  });

  test(`every resource is valid for Kubernetes with ${name} values`, { skip }, () => {
    const rendered = renderChart(helm.path, values);
    // A ScaledJob's schema leaves the pod open, for KEDA's does; Kubernetes judges it once it is a Job.
    const jobs = readResources(rendered)
      .filter(({ kind }) => kind === "ScaledJob")
      .map(({ metadata, spec }) =>
        stringify({
          apiVersion: "batch/v1",
          kind: "Job",
          metadata: { name: metadata.name },
          spec: spec?.["jobTargetRef"],
        }),
      );
    const summary = validate([rendered, ...jobs].join("\n---\n"));
    assert.match(summary, /Invalid: 0, Errors: 0, Skipped: 0/);
    assert.doesNotMatch(summary, /Valid: 0/);
  });

  test(`no container can become root, write its image or take all of a node with ${name} values`, {
    skip: helm.skip,
  }, () => {
    for (const { spec } of pods(values)) {
      assert.equal(spec.securityContext.runAsNonRoot, true);
      assert.notEqual(spec.securityContext.runAsUser, 0);
      assert.equal(spec.automountServiceAccountToken, false);
      for (const { securityContext, resources } of [...spec.containers, ...spec.initContainers]) {
        assert.equal(securityContext.runAsNonRoot, true);
        assert.equal(securityContext.readOnlyRootFilesystem, true);
        assert.equal(securityContext.allowPrivilegeEscalation, false);
        assert.deepEqual(securityContext.capabilities.drop, ["ALL"]);
        assert.equal(securityContext.seccompProfile.type, "RuntimeDefault");
        assert.deepEqual(Object.keys(resources.limits).sort(), ["cpu", "memory"]);
      }
    }
  });

  test(`what is secret comes from a Secret with ${name} values`, { skip: helm.skip }, () => {
    const variables = pods(values).flatMap(({ spec }) => spec.containers.flatMap(({ env }) => env));
    const secret = variables.filter(({ name }) => secretLike.test(name));
    assert.ok(secret.length > 10);
    for (const { name, value } of secret) assert.equal(value, undefined, `${name} is written out`);
  });

  test(`no two pools share an identity or credentials with ${name} values`, { skip: helm.skip }, () => {
    const runners = pods(values).filter((pod) => componentOf(pod).startsWith("runner-"));
    const accounts = runners.map(({ spec }) => spec.serviceAccountName);
    assert.equal(new Set(accounts).size, accounts.length);
    const credentials = runners.flatMap(({ spec }) => spec.containers.flatMap(({ envFrom }) => envFrom));
    const names = credentials.map(({ secretRef }) => secretRef.name);
    assert.equal(new Set(names).size, names.length);
  });
}

test("each process has the environment it is written for, and no other", { skip: helm.skip }, () => {
  const rendered = new Map(
    pods(undefined).map((pod) => [componentOf(pod), pod.spec.containers[0]?.env.map(({ name }) => name).sort()]),
  );
  rendered.delete("migrate");
  assert.deepEqual(
    Object.fromEntries(rendered),
    Object.fromEntries(expectedProcesses.map(({ name, environment }) => [name, environment])),
  );
});

test("a service rolls without losing a replica, and the migration comes first", { skip: helm.skip }, () => {
  const resources = readResources(renderChart(helm.path, undefined));
  const deployments = resources.filter(({ kind }) => kind === "Deployment");
  assert.equal(deployments.length, expectedProcesses.length);
  for (const { metadata, spec } of deployments) {
    const { rollingUpdate } = z.looseObject({ rollingUpdate: z.unknown() }).parse(spec?.["strategy"]);
    assert.deepEqual(rollingUpdate, { maxUnavailable: 0, maxSurge: 1 }, metadata.name);
  }
  const job = resources.find(({ kind }) => kind === "Job");
  assert.equal(job?.metadata.annotations["helm.sh/hook"], "pre-install,pre-upgrade");
});

test("pools scale on the stream and consumer that runners use, and drain before they are killed", {
  skip: helm.skip,
}, () => {
  for (const [values, kind] of [
    [undefined, "ScaledObject"],
    ["pod-isolation", "ScaledJob"],
  ] as const) {
    const scaled = readResources(renderChart(helm.path, values)).filter((resource) => resource.kind === kind);
    const triggers = scaled.flatMap(({ spec }) =>
      z.array(z.looseObject({ metadata: z.record(z.string(), z.string()) })).parse(spec?.["triggers"]),
    );
    assert.deepEqual(triggers.map(({ metadata }) => [metadata["stream"], metadata["consumer"]]).sort(), [
      ["XCF_TASKS", "runner-terraform-apply"],
      ["XCF_TASKS", "runner-terraform-plan"],
    ]);
  }
  for (const pod of pods(undefined).filter((pod) => componentOf(pod).startsWith("runner-"))) {
    const drain = pod.spec.containers[0]?.env.find(({ name }) => name === "XCF_DRAIN_SECONDS")?.value;
    assert.ok(Number(pod.spec.terminationGracePeriodSeconds) > Number(drain));
  }
});

test("a pod of its own for a task needs KEDA, and a misspelt value is refused", { skip: helm.skip }, () => {
  assert.throws(() => renderChart(helm.path, "pod-isolation", ["keda.enabled=false"]), /needs KEDA/);
  assert.throws(() => renderChart(helm.path, undefined, ["replica=3"]), /replica/);
});
