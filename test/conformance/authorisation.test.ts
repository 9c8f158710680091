import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type DescMethod, type DescService, isMessage, toBinary } from "@bufbuild/protobuf";
import { as, type Caller, type Role, roleSchema } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { effectiveRoles, isPerEnvironment, requirementOf } from "@xcloudflow/chassis/permissions";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { SCHEMAS } from "@xcloudflow/embedded/schemas";
import { CodedError } from "@xcloudflow/model/coded-error";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { TokenService } from "@xcloudflow/proto/api/v1/token_pb";
import { AuditService } from "@xcloudflow/proto/audit/v1/audit_pb";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { type AllServices, createAllServices } from "../support/all-services.ts";
import { MARK, type Planted, plantRows, rowsOfTenant } from "../support/planted-rows.ts";
import { createPostgresUrl, openPostgres } from "../support/postgres.ts";

const SERVICES: readonly DescService[] = [
  ApiService,
  AuditService,
  OrchestratorService,
  PlannerService,
  PolicyService,
  RouterService,
  SecretsService,
  StateService,
  TokenService,
];
const METHODS = SERVICES.flatMap((service): readonly DescMethod[] => service.methods);
const PEOPLE_AND_MACHINES: readonly (Role | "nobody")[] = [...roleSchema.options, "nobody"];
const nameOf = ({ parent, name }: DescMethod): string => `${parent.typeName}/${name}`;

interface Outcome {
  /** Of the error; undefined when the call was answered. */
  readonly code: string | undefined;
  /** All that came back, words of the error included. */
  readonly text: string;
}

describe("who may call what, method by method", () => {
  let database: OwnedDatabase;
  let services: AllServices;
  let planted: Planted;

  before(async () => {
    database = await openPostgres(await createPostgresUrl(SCHEMAS));
    services = await createAllServices(database);
    planted = await plantRows(services);
  });
  after(async () => {
    await services.close();
    await database.close();
  });

  /** Calls a method, whatever its kind, and reads a few messages at most. */
  async function call(method: DescMethod, request: Record<string, unknown>, caller: Caller): Promise<Outcome> {
    const client = createCodedClient(method.parent, services.transport);
    const work: unknown = Reflect.get(client, method.localName);
    assert.ok(typeof work === "function");
    const options = { ...as(caller), signal: AbortSignal.timeout(streams(method) ? 1_500 : 20_000) };
    const given = method.methodKind === "client_streaming" ? messages(request) : request;
    let text = "";
    try {
      const answer: unknown = Reflect.apply(work, client, [given, options]);
      if (streams(method)) for await (const message of iterable(answer)) text += textOf(method, message);
      else text = textOf(method, await answer);
      return { code: undefined, text };
    } catch (error) {
      assert.ok(error instanceof CodedError, `${nameOf(method)} throws ${String(error)}`);
      assert.notEqual(error.code, "RPC_INTERNAL", `${nameOf(method)} is called wrongly: ${error.message}`);
      return { code: error.code, text: `${text} ${error.message}` };
    }
  }

  const callerIn = (tenant: string, role: Role | "nobody", bindings?: Caller["bindings"]): Caller => ({
    tenant,
    subject: "ada@example.com",
    groups: ["leads"],
    roles: role === "nobody" || bindings !== undefined ? [] : [role],
    assurance: "token",
    ...(bindings === undefined ? {} : { bindings }),
  });

  test("every method is opened by the roles its annotation names, and by no other", async () => {
    let cases = 0;
    for (const method of METHODS) {
      const requirement = requirementOf(method) ?? [];
      for (const role of PEOPLE_AND_MACHINES) {
        const held = effectiveRoles(role === "nobody" ? [] : [role]);
        const open = requirement.some((wanted) => wanted === "authenticated" || held.has(wanted));
        // Ids that nothing has: what is open answers so, and changes nothing that the other tests look at.
        const { code } = await call(method, requestOf(method, planted.absent), callerIn("acme", role));
        assert.equal(code !== "PERMISSION_MISSING", open, `${role} on ${nameOf(method)}: ${code ?? "answered"}`);
        cases++;
      }
    }
    assert.equal(cases, METHODS.length * PEOPLE_AND_MACHINES.length);
    assert.ok(METHODS.length > 65);
  });

  test("through no method does anybody see or change another tenant's rows, with every id known", async () => {
    const before = await rowsOfTenant(database, "acme");
    assert.ok(before.includes(MARK), "there is something to be seen");
    for (const method of METHODS) {
      for (const role of PEOPLE_AND_MACHINES) {
        // Whoever holds a token's text may learn whose it is; that a service asks in another tenant's name says nothing.
        if (method.parent === TokenService && role === "service") continue;
        const { text } = await call(method, requestOf(method, planted.real), callerIn("globex", role));
        assert.ok(
          !text.includes(MARK),
          `${role} of another tenant sees through ${nameOf(method)}: ${text.slice(0, 300)}`,
        );
      }
    }
    await services.settle();
    assert.equal(await rowsOfTenant(database, "acme"), before, "another tenant changed rows");
  });

  test("the same calls show the rows to their own tenant", async () => {
    const shown: string[] = [];
    for (const method of METHODS.filter(({ name }) => /^(Get|List|Watch|Pull|Query|Export|Why|Has)/.test(name))) {
      const role = requirementOf(method)?.includes("service") ? "service" : "admin";
      if ((await call(method, requestOf(method, planted.real), callerIn("acme", role))).text.includes(MARK))
        shown.push(nameOf(method).replace(/^xcloudflow\.|\.v1\.\w+/g, ""));
    }
    for (const expected of [
      ...["ListTokens", "GetRun", "ListRuns", "WatchRun", "GetChangeSet", "ListChangeSets", "Why"].map(
        (name) => `api/${name}`,
      ),
      ...["ListLocks", "ListStates", "ListStateVersions", "PullState", "ListDrift", "QueryAudit"].map(
        (name) => `api/${name}`,
      ),
      ...["state/GetChangeSet", "state/GetArtefact", "audit/Query", "audit/Export"],
    ])
      assert.ok(shown.includes(expected), `${expected} shows nothing, so the other test proves nothing about it`);
  });

  test("a role that is held in one environment opens nothing in another", async () => {
    const limited = METHODS.filter((method) => isPerEnvironment(method));
    assert.ok(limited.length > 35);
    for (const method of METHODS) {
      for (const role of roleSchema.options.filter((name) => name !== "service")) {
        const elsewhere = callerIn("acme", role, [{ role, environments: ["staging"] }]);
        const { code, text } = await call(method, requestOf(method, planted.real), elsewhere);
        const what = `${role} in staging on ${nameOf(method)}: ${code ?? "answered"}`;
        assert.ok(!text.includes(MARK), what);
        if (!isPerEnvironment(method) && !requirementOf(method)?.includes("authenticated"))
          assert.equal(code, "PERMISSION_MISSING", what);
      }
    }
  });

  test("a role that is held in the environment shows what is in it", async () => {
    for (const method of METHODS.filter((one) => isPerEnvironment(one) && /^(Get|List|Watch|Why)/.test(one.name))) {
      const here = callerIn("acme", "viewer", [{ role: "viewer", environments: ["prod"] }]);
      const { code, text } = await call(method, requestOf(method, planted.real), here);
      assert.equal(code, undefined, nameOf(method));
      assert.ok(text.includes(MARK), nameOf(method));
    }
  });
});

function streams({ methodKind }: DescMethod): boolean {
  return methodKind === "server_streaming";
}

async function* messages(request: Record<string, unknown>): AsyncGenerator<Record<string, unknown>> {
  yield request;
}

function iterable(answer: unknown): AsyncIterable<unknown> {
  if (typeof answer !== "object" || answer === null || !(Symbol.asyncIterator in answer))
    throw new TypeError("the method does not stream");
  return answer as AsyncIterable<unknown>;
}

/** The bytes of an answer: strings and documents stand in them as they are. */
function textOf(method: DescMethod, message: unknown): string {
  if (!isMessage(message, method.output)) throw new TypeError(`${nameOf(method)} answers something else`);
  return Buffer.from(toBinary(method.output, message)).toString("latin1");
}

/** A request in which every field that has a name of `ids` holds that value. */
function requestOf(method: DescMethod, ids: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own = ids[`${method.name}`];
  const fields = method.input.fields.map(({ localName }) => [localName, ids[localName]] as const);
  const request = Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  return { ...request, ...(typeof own === "object" && own !== null ? own : {}) };
}
