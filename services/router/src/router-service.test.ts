import assert from "node:assert/strict";
import { test } from "node:test";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { CodedError } from "@xcloudflow/model/coded-error";
import { decodeDocument, encodeDocument } from "@xcloudflow/model/parse-json";
import { routeSchema } from "@xcloudflow/model/route";
import type { RouteQuestion } from "@xcloudflow/model/route-layer";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { createRouter } from "./router-service.ts";

const transport = createMemoryTransport([(router) => router.service(RouterService, createRouter().rpc)], {
  logger: silentLogger,
  clock: createSystemClock(),
  newReference: () => "ref-1",
});
const client = createCodedClient(RouterService, transport);
const planner: Caller = {
  tenant: "t",
  subject: "service:planner",
  groups: [],
  roles: ["service"],
  assurance: "service",
};

function question(composition: string, lifecycle: RouteQuestion["lifecycle"]["value"]): RouteQuestion {
  return {
    address: `prod/${composition}/main`,
    lifecycle: { value: lifecycle, at: "compositions/x.yaml:4:3" },
    layers: [
      { layer: "module", specific: true, backup: { value: "state", at: "compositions/x.yaml:9:7" } },
      {
        layer: "environment",
        specific: false,
        observe: {
          value: { checks: [{ name: "e", prometheus: "up", max: 0.01 }] },
          at: "envs/prod/environment.yaml:8:3",
        },
      },
    ],
  };
}

test("answers every question, in order, with what decided each field", async () => {
  const { routeDocuments } = await client.route(
    { questionDocuments: [question("a", "Platform"), question("b", "Foundation")].map(encodeDocument) },
    as(planner),
  );
  const [platform, foundation] = routeDocuments.map((bytes) => decodeDocument(routeSchema, bytes, "route"));
  assert.equal(platform?.address, "prod/a/main");
  assert.equal(platform?.gate.value.kind, "environment");
  assert.deepEqual(platform?.backup, { value: "state", from: { layer: "module", at: "compositions/x.yaml:9:7" } });
  assert.equal(platform?.observe?.value.checks[0]?.max, 0.01);
  assert.equal(foundation?.address, "prod/b/main");
  assert.deepEqual(foundation?.gate, { value: { kind: "forced", groups: [], quorum: 1 }, from: { layer: "matrix" } });
});

test("a document that is no question fails the whole call and says which", async () => {
  const good = encodeDocument(question("a", "Platform"));
  const bad = encodeDocument({ ...question("b", "Platform"), lifecycle: { value: "Paas", at: "x:1:1" } });
  await assert.rejects(client.route({ questionDocuments: [good, bad] }, as(planner)), (error: unknown) => {
    assert.ok(error instanceof CodedError);
    assert.equal(error.category, "invalid");
    assert.equal(error.where, "route question 1");
    assert.match(error.what, /lifecycle\.value/);
    return true;
  });
});

test("somebody without a role is refused", async () => {
  const nobody: Caller = { ...planner, roles: [] };
  await assert.rejects(client.route({ questionDocuments: [encodeDocument(question("a", "Platform"))] }, as(nobody)), {
    category: "forbidden",
  });
});
