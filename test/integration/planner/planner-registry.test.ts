import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { SecretText } from "@xcloudflow/model/secret-text";
import { readArchive } from "@xcloudflow/model/tar-archive";
import { packTar } from "@xcloudflow/planner/tar";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, document, shopFiles } from "./monorepo-fixture.ts";
import { makePlanner, type PlannerFixture } from "./planner-fixture.ts";
import { type RegistryServer, startRegistry } from "./registry-server-cli.ts";

const FILES = {
  "parts/web/main.tf": 'module "n" {\n  source = "../naming"\n}\n',
  "parts/naming/main.tf": "# n\n",
  "unrelated.txt": "x",
};

function archiveOf(files: Readonly<Record<string, string>>): Buffer {
  return gzipSync(
    packTar(Object.entries(files).map(([path, text]) => ({ path, executable: false, content: Buffer.from(text) }))),
  );
}

const DOWNLOAD = "/v1/modules/acme/web/aws/1.2.0/download";

/** A registry with acme/web/aws 1.2.0 behind `location`, and its archive at /files/web.tar.gz. */
async function acme(location: string, archive = archiveOf(FILES)): Promise<RegistryServer> {
  const registry = await startRegistry();
  registry.replies.set("/.well-known/terraform.json", { body: '{"modules.v1": "/v1/modules/"}' });
  registry.replies.set("/v1/modules/acme/web/aws/versions", {
    body: '{"modules": [{"versions": [{"version": "1.1.0"}, {"version": "1.2.0"}]}]}',
  });
  registry.replies.set(DOWNLOAD, { status: 204, headers: { "x-terraform-get": location } });
  registry.replies.set("/files/web.tar.gz", { body: archive });
  return registry;
}

function plannerFor(registry: RegistryServer, transports?: readonly string[]): PlannerFixture {
  return makePlanner({
    ...(transports === undefined ? {} : { transports }),
    registries: {
      readToken: (host) => (host === registry.host ? new SecretText("t0ken") : undefined),
      authorities: [registry.certificate],
    },
  });
}

function filesFor(ref: string, hosts: readonly string[]): Record<string, string> {
  return {
    ...shopFiles(),
    ".xcf.yaml": document("Platform", "p", { registries: { hosts } }),
    "compositions/shop.yaml": composition("shop", "Application", [{ name: "web", ref, inputs: {} }]),
  };
}

async function compiled(registry: RegistryServer, planner: PlannerFixture): Promise<{ path: string; files: string[] }> {
  using repository = makeRepository();
  repository.commit(filesFor(`registry://${registry.host}/acme/web/aws@1.2.0`, [registry.host]));
  const { units } = await planner.compile({ repository: repository.directory });
  const module = units.find(({ address }) => address === "dev/shop/web")?.module;
  const files = [...readArchive(planner.artefacts.get(module?.archive ?? "") ?? Buffer.alloc(0))].map(
    ({ path }) => path,
  );
  const strip = (path: string): string => path.replace(/^\.xcf-modules\/[0-9a-f]{16}\//, "");
  return { path: strip(module?.path ?? ""), files: files.map(strip) };
}

async function refusal(registry: RegistryServer, planner: PlannerFixture, files?: Record<string, string>) {
  using repository = makeRepository();
  repository.commit(files ?? filesFor(`registry://${registry.host}/acme/web/aws@1.2.0`, [registry.host]));
  const error: unknown = await planner.compile({ repository: repository.directory }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(typeof error === "object" && error !== null && "problems" in error && Array.isArray(error.problems));
  const [problem] = error.problems;
  assert.equal(problem.file, "compositions/shop.yaml");
  return `${problem.code} ${problem.message}`;
}

const EXPECTED = { path: "parts/web", files: ["parts/naming/main.tf", "parts/web/main.tf"] };

test("a registry module is fetched once, with what its folder includes, and the token goes to the registry alone", async () => {
  await using registry = await acme("/files/web.tar.gz//parts/web?archive=tar.gz");
  using planner = plannerFor(registry);
  assert.deepEqual(await compiled(registry, planner), EXPECTED);
  assert.deepEqual(
    registry.asked.map(({ path, authorization }) => [path, authorization]),
    ["/.well-known/terraform.json", "/v1/modules/acme/web/aws/versions", DOWNLOAD, "/files/web.tar.gz"].map((path) => [
      path,
      "Bearer t0ken",
    ]),
  );
  registry.replies.clear();
  assert.deepEqual(await compiled(registry, planner), EXPECTED);
  assert.equal(registry.asked.length, 4);
});

test("a registry that answers with a document, and an archive inside its only folder", async () => {
  const nested = Object.fromEntries(Object.entries(FILES).map(([path, text]) => [`acme-web-1a2b/${path}`, text]));
  await using registry = await acme("unused", archiveOf(nested));
  registry.replies.set(DOWNLOAD, { body: '{"location": "../../../../../../files/web.tar.gz//*/parts/web"}' });
  using planner = plannerFor(registry);
  assert.deepEqual(
    (await compiled(registry, planner)).files,
    EXPECTED.files.map((path) => `acme-web-1a2b/${path}`),
  );
});

test("a registry that leads to Git is pinned to the commit", async () => {
  using other = makeRepository();
  other.commit(FILES);
  await using registry = await acme(`git::file://${other.directory}//parts/web?ref=main`);
  using planner = plannerFor(registry, ["file"]);
  assert.deepEqual(await compiled(registry, planner), EXPECTED);
  other.commit({ "parts/naming/main.tf": null, "parts/web/main.tf": "# later\n" });
  assert.deepEqual(await compiled(registry, planner), EXPECTED);
  using strict = plannerFor(registry);
  assert.match(await refusal(registry, strict), /^REMOTE_MODULE_UNAVAILABLE /);
});

test("only hosts that .xcf.yaml lists are asked, and private addresses behind them are not", async () => {
  await using registry = await acme("/files/web.tar.gz");
  await using inner = await startRegistry();
  using planner = plannerFor(registry);
  const ref = `registry://${registry.host}/acme/web/aws@1.2.0`;
  assert.match(await refusal(registry, planner, filesFor(ref, ["example.com"])), /^REGISTRY_HOST_NOT_ALLOWED /);
  assert.deepEqual(registry.asked, []);
  for (const target of [inner.host, inner.host.replace("localhost", "127.0.0.1"), "169.254.169.254", "[::1]:443"]) {
    registry.replies.set("/files/web.tar.gz", { status: 302, headers: { location: `https://${target}/x` } });
    assert.match(await refusal(registry, planner), /^REGISTRY_HOST_NOT_ALLOWED /, target);
    registry.replies.set(DOWNLOAD, { status: 204, headers: { "x-terraform-get": `https://${target}/x.tar.gz` } });
    assert.match(await refusal(registry, planner), /^REGISTRY_HOST_NOT_ALLOWED /, target);
    registry.replies.set(DOWNLOAD, { status: 204, headers: { "x-terraform-get": "/files/web.tar.gz" } });
  }
  assert.deepEqual(inner.asked, []);
});

test("an allowed host that is redirected to does not get the registry's token", async () => {
  await using inner = await startRegistry();
  await using registry = await acme("/files/web.tar.gz//parts/web");
  inner.replies.set("/a", { body: archiveOf(FILES) });
  registry.replies.set("/files/web.tar.gz", { status: 302, headers: { location: `https://${inner.host}/a` } });
  using planner = makePlanner({
    registries: { readToken: () => new SecretText("t0ken"), authorities: [registry.certificate, inner.certificate] },
  });
  using repository = makeRepository();
  repository.commit(filesFor(`registry://${registry.host}/acme/web/aws@1.2.0`, [registry.host, inner.host]));
  await planner.compile({ repository: repository.directory });
  assert.deepEqual(inner.asked, [{ path: "/a", authorization: undefined }]);
});

test("what a registry refuses, lacks or answers wrongly is told where the ref stands", async () => {
  const cases: readonly (readonly [path: string, { status?: number; body?: string; headers?: object }, RegExp])[] = [
    ["/.well-known/terraform.json", { body: "{}" }, /^REGISTRY_ANSWER_INVALID .*no module registry/],
    ["/.well-known/terraform.json", { status: 500 }, /^REGISTRY_UNAVAILABLE .*answers 500/],
    ["/v1/modules/acme/web/aws/versions", { status: 401 }, /^REGISTRY_FORBIDDEN /],
    ["/v1/modules/acme/web/aws/versions", { status: 404 }, /^REGISTRY_MODULE_MISSING /],
    ["/v1/modules/acme/web/aws/versions", { body: "<html>" }, /^REGISTRY_ANSWER_INVALID /],
    [
      "/v1/modules/acme/web/aws/versions",
      { body: '{"modules": [{"versions": [{"version": "1.1.0"}]}]}' },
      /^REGISTRY_MODULE_MISSING .*no version 1\.2\.0/,
    ],
    ...["/x.zip", "/x", "s3::https://b/x.tar.gz", "http://example.com/x.tar.gz", "/x.tar.gz//a/../../b"].map(
      (get) =>
        [DOWNLOAD, { status: 204, headers: { "x-terraform-get": get } }, /^REGISTRY_SOURCE_UNSUPPORTED /] as const,
    ),
    [
      DOWNLOAD,
      { status: 204, headers: { "x-terraform-get": `/files/web.tar.gz?checksum=sha256:${"0".repeat(64)}` } },
      /^REGISTRY_ARCHIVE_INVALID .*checksum/,
    ],
    ["/files/web.tar.gz", { body: "no gzip" }, /^REGISTRY_ARCHIVE_INVALID /],
  ];
  for (const [path, reply, expected] of cases) {
    await using registry = await acme("/files/web.tar.gz//parts/web");
    registry.replies.set(path, { ...reply, headers: Object.fromEntries(Object.entries(reply.headers ?? {})) });
    using planner = plannerFor(registry);
    assert.match(await refusal(registry, planner), expected, `${path} ${JSON.stringify(reply)}`);
  }
});
