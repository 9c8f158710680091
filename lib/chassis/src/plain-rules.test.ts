import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { AuditService } from "@xcloudflow/proto/audit/v1/audit_pb";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import fc from "fast-check";
import { compilePlainRules, runPlainRules } from "./plain-rules.ts";
import { protovalidate } from "./validate-interceptor.ts";

const SERVICES = [
  ApiService,
  AuditService,
  OrchestratorService,
  PlannerService,
  PolicyService,
  RouterService,
  SecretsService,
  StateService,
];
const requests = [...new Set(SERVICES.flatMap(({ methods }) => methods.map(({ input }): DescMessage => input)))];

/** Texts around the limits that rules set, and some that rules list. */
const texts = fc.oneof(
  fc.constantFrom(
    "",
    "plan",
    "apply",
    "unit",
    "viewer",
    "x".repeat(32),
    "x".repeat(33),
    "x".repeat(128),
    "x".repeat(129),
    "😀".repeat(32),
    "😀".repeat(33),
  ),
  fc.string({ unit: "grapheme", maxLength: 40 }),
);
const numbers = fc.constantFrom(0, 1, 59, 60, 61, 4_294_967_295);

function messageOf(desc: DescMessage, depth: number): fc.Arbitrary<Message> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of desc.fields) {
    if (field.oneof !== undefined) continue;
    if (field.fieldKind === "scalar" && typeof field.getDefaultValue() === "string") members[field.localName] = texts;
    else if (field.fieldKind === "scalar" && typeof field.getDefaultValue() === "number")
      members[field.localName] = numbers;
    else if (field.fieldKind === "scalar" && typeof field.getDefaultValue() === "bigint")
      members[field.localName] = numbers.map(BigInt);
    else if (field.fieldKind === "message" && depth < 3)
      members[field.localName] = fc.option(messageOf(field.message, depth + 1), { nil: undefined });
    else if (field.fieldKind === "list" && field.listKind === "message" && depth < 3)
      members[field.localName] = fc.array(messageOf(field.message, depth + 1), { maxLength: 3 });
    else if (field.fieldKind === "list" && field.listKind === "scalar" && field.scalar === 9)
      members[field.localName] = fc.oneof(
        fc.array(texts, { maxLength: 3 }),
        fc.constantFrom(1000, 1001).map((length) => new Array<string>(length).fill("")),
      );
    else if (field.fieldKind === "list" && field.listKind === "scalar" && field.scalar === 12)
      members[field.localName] = fc.array(fc.constant(new Uint8Array(1)), { maxLength: 2 });
  }
  for (const oneof of desc.oneofs) {
    const cases = oneof.fields.flatMap((field) =>
      field.fieldKind === "message"
        ? [messageOf(field.message, depth + 1).map((value) => ({ case: field.localName, value }))]
        : [],
    );
    if (cases.length > 0) members[oneof.localName] = fc.oneof(...cases);
  }
  return fc.record(members, { requiredKeys: [] }).map((init) => create(desc, init));
}

test("no request message needs more than the plain rules", () => {
  for (const desc of requests) assert.notEqual(compilePlainRules(desc), undefined, desc.typeName);
  assert.ok(requests.filter((desc) => (compilePlainRules(desc)?.checks.length ?? 0) > 0).length > 25);
});

for (const desc of requests) {
  const checks = compilePlainRules(desc)?.checks ?? [];
  if (checks.length === 0) continue;
  test(`judges ${desc.typeName} as protovalidate does`, async () => {
    const reference = await protovalidate(desc);
    fc.assert(
      fc.property(messageOf(desc, 0), (message) => {
        const plain = runPlainRules(checks, desc, message).map(({ field }) => field);
        assert.deepEqual(
          plain.sort(),
          reference(message)
            .map(({ field }) => field)
            .sort(),
        );
      }),
      { numRuns: 60 },
    );
  });
}
