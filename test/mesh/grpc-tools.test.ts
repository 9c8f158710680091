import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { CALLER_HEADER, type Caller } from "@xcloudflow/chassis/caller";
import { MESH_SERVICES, type MeshService } from "@xcloudflow/chassis/peer-identity";
import { execa } from "execa";
import { z } from "zod";
import { requireEngine } from "../support/engines.ts";
import { grpcJsClient, callerKinds as status } from "../support/grpc-tools.ts";
import { meshIsMissing, type RunningMesh, startRunningMesh } from "../support/mesh-fixture.ts";

const grpcurl = requireEngine("grpcurl");
const probe = requireEngine("grpc-health-probe");
const ghz = requireEngine("ghz");
const skip = meshIsMissing("grpcurl", "grpc-health-probe", "ghz");
const operator: Caller = {
  tenant: "default",
  subject: "user:ada@example.com",
  groups: [],
  roles: ["viewer", "service"],
  assurance: "service",
};
const header = Buffer.from(JSON.stringify(operator)).toString("base64url");

/** A call of each service that needs nothing to be there, and what it answers. */
interface Call {
  readonly service: string;
  readonly method: string;
  readonly request: object;
  readonly answer: RegExp;
}

describe("the usual tools speak to every service of a mesh, with a certificate", { skip }, () => {
  let running: RunningMesh;
  let calls: Readonly<Record<MeshService, Call>>;
  let files: { readonly ca: string; readonly cert: string; readonly key: string };

  before(async () => {
    running = await startRunningMesh({ replicas: 1, workers: 0, pools: [] });
    await running.commit({ "hello.txt": "hello\n" });
    files = { ca: running.mesh.folder.caFile, ...running.mesh.folder.certificateOf("operator") };
    const question = JSON.stringify({
      address: "prod/shop/db",
      lifecycle: { value: "Platform", at: "compositions/shop.yaml:4:3" },
      layers: [],
    });
    const named = (service: MeshService, name = service): string =>
      `xcloudflow.${service}.v1.${name[0]?.toUpperCase()}${name.slice(1)}Service`;
    const call = (service: MeshService, method: string, request: object, answer: RegExp): Call => ({
      service: named(service),
      method,
      request,
      answer,
    });
    calls = {
      api: {
        ...call("api", "Authenticate", { token: running.mesh.adminToken }, /"caller_?[dD]ocument":\s*"eyJ/),
        service: "xcloudflow.api.v1.TokenService",
      },
      audit: call("audit", "Query", {}, /\{/),
      orchestrator: call("orchestrator", "ListRuns", {}, /\{/),
      planner: call(
        "planner",
        "ReadFile",
        { repository: running.repository, path: "hello.txt" },
        new RegExp(`"content":\\s*"${Buffer.from("hello\n").toString("base64")}"`),
      ),
      policy: call("policy", "TestPolicies", {}, /\{/),
      router: call(
        "router",
        "Route",
        { question_documents: [Buffer.from(question).toString("base64")] },
        /"route_?[dD]ocuments":\s*\[\s*"eyJ/,
      ),
      secrets: call("secrets", "RaiseFence", { unit: "prod/shop/db", fence: "1" }, /\{/),
      state: call("state", "ListStates", {}, /\{/),
    };
  });
  after(() => running.dispose());

  const grpcurlTo = async (service: MeshService, words: readonly string[], options: readonly string[] = []) =>
    await execa(
      grpcurl.path,
      [
        ...["-cacert", files.ca, "-cert", files.cert, "-key", files.key, ...options],
        `127.0.0.1:${running.addressOf(service).port}`,
        ...words,
      ],
      { reject: false },
    );

  for (const name of MESH_SERVICES) {
    test(`grpc-health-probe: ${name} serves`, async () => {
      const tls = ["-tls", "-tls-ca-cert", files.ca, "-tls-client-cert", files.cert, "-tls-client-key", files.key];
      const address = `127.0.0.1:${running.addressOf(name).port}`;
      for (const more of [[], ["-service", calls[name].service]]) {
        const { stderr, exitCode } = await execa(probe.path, ["-addr", address, ...tls, ...more], { reject: false });
        assert.deepEqual([exitCode, stderr.trim()], [0, "status: SERVING"]);
      }
      const stranger = await execa(probe.path, ["-addr", address, "-tls", "-tls-ca-cert", files.ca], { reject: false });
      assert.notEqual(stranger.exitCode, 0, "no certificate, no answer");
    });

    test(`grpcurl: ${name} lists and describes itself, and answers`, async () => {
      const { service, method, request, answer } = calls[name];
      const { stdout } = await grpcurlTo(name, ["list"]);
      const listed = stdout.split("\n");
      for (const each of [service, "grpc.health.v1.Health"]) assert.ok(listed.includes(each), `${each} in ${stdout}`);
      assert.match((await grpcurlTo(name, ["describe", service])).stdout, new RegExp(`rpc ${method} \\(`));
      const options = ["-H", `${CALLER_HEADER}: ${header}`, "-d", JSON.stringify(request)];
      const called = await grpcurlTo(name, [`${service}/${method}`], options);
      assert.equal(called.exitCode, 0, called.stderr);
      assert.match(called.stdout, answer);
      const nobody = await grpcurlTo(name, [`${service}/${method}`], ["-d", JSON.stringify(request)]);
      assert.match(nobody.stderr, /PermissionDenied.*names no caller/s);
    });

    test(`ghz: ${name} answers many calls at once`, async () => {
      const { service, method, request } = calls[name];
      const metadata = JSON.stringify({ [CALLER_HEADER]: header });
      const { stdout } = await execa(ghz.path, [
        ...["--cacert", files.ca, "--cert", files.cert, "--key", files.key],
        ...["--metadata", metadata, "--reflect-metadata", metadata],
        ...["--call", `${service}/${method}`, "-d", JSON.stringify(request), "-n", "60", "-c", "6", "-O", "json"],
        `127.0.0.1:${running.addressOf(name).port}`,
      ]);
      const counted = z.object({ count: z.number(), statusCodeDistribution: z.record(z.string(), z.number()) });
      const { count, statusCodeDistribution } = counted.parse(JSON.parse(stdout));
      assert.deepEqual([count, statusCodeDistribution], [60, { OK: 60 }]);
    });

    test(`@grpc/grpc-js: ${name} answers, and refuses with a status`, async () => {
      const { service, method, request, answer } = calls[name];
      const [ca, cert, key] = await Promise.all([files.ca, files.cert, files.key].map((file) => readFile(file)));
      assert.ok(ca && cert && key);
      const member = { tls: { ca, cert, key }, headers: { [CALLER_HEADER]: header } };
      const client = await grpcJsClient(running.addressOf(name), "", service, member);
      try {
        assert.match(JSON.stringify(await client.unary(method, request)), answer);
      } finally {
        client.close();
      }
      const nobody = await grpcJsClient(running.addressOf(name), "", service, { ...member, headers: {} });
      try {
        assert.equal((await nobody.failure(method, request)).code, status.PERMISSION_DENIED);
      } finally {
        nobody.close();
      }
    });
  }
});
