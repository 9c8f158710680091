import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { TokenService } from "@xcloudflow/proto/api/v1/token_pb";
import { AuditService } from "@xcloudflow/proto/audit/v1/audit_pb";
import { Health } from "@xcloudflow/proto/grpc/health/v1/health_pb";
import { ServerReflection } from "@xcloudflow/proto/grpc/reflection/v1/reflection_pb";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import { type Caller, type Role, roleSchema } from "./caller.ts";
import {
  checkPermission,
  effectiveRoles,
  isPermitted,
  PermissionMissingError,
  requirementOf,
  requireRole,
} from "./permissions.ts";

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
const methods = SERVICES.flatMap(({ methods: own }): readonly DescMethod[] => own);
const callerWith = (...roles: Role[]): Caller => ({
  tenant: "t",
  subject: "ada",
  groups: [],
  roles,
  assurance: "token",
});
const nameOf = ({ parent, name }: DescMethod): string => `${parent.typeName}/${name}`;

/** A role and all that it includes, written out: the table the code must agree with. */
const INCLUDED: Readonly<Record<Role, readonly Role[]>> = {
  viewer: ["viewer"],
  planner: ["planner", "viewer"],
  approver: ["approver", "viewer"],
  operator: ["operator", "planner", "viewer"],
  admin: ["admin", "operator", "planner", "approver", "viewer"],
  runner: ["runner"],
  service: ["service"],
};

describe("permissions", () => {
  test("every method of every service says who may call it", () => {
    for (const method of methods)
      assert.ok((requirementOf(method)?.length ?? 0) > 0, `${nameOf(method)} has no annotation`);
    assert.ok(methods.length > 60);
  });

  test("a role opens exactly the methods that name it or a role it includes", () => {
    for (const role of roleSchema.options) {
      assert.deepEqual([...effectiveRoles([role])].sort(), [...INCLUDED[role]].sort());
      for (const method of methods) {
        const requirement = requirementOf(method) ?? [];
        const expected =
          requirement.includes("authenticated") || INCLUDED[role].some((held) => requirement.includes(held));
        assert.equal(isPermitted(callerWith(role), requirement), expected, `${role} on ${nameOf(method)}`);
      }
    }
  });

  test("no role of people opens what is for machines, and the other way round", () => {
    for (const method of methods) {
      const requirement = requirementOf(method) ?? [];
      const forMachines = requirement.every((role) => role === "runner" || role === "service");
      if (forMachines) assert.equal(isPermitted(callerWith("admin"), requirement), false, nameOf(method));
    }
    const readsState = StateService.method.pullState;
    assert.equal(isPermitted(callerWith("viewer"), requirementOf(readsState)), false);
    assert.equal(isPermitted(callerWith("runner"), requirementOf(ApiService.method.getRun)), false);
  });

  test("a method without an annotation is refused to everybody", () => {
    const method: DescMethod = {
      ...ApiService.method.getRun,
      proto: { ...ApiService.method.getRun.proto, options: undefined },
    };
    assert.equal(requirementOf(method), undefined);
    assert.throws(() => checkPermission(callerWith("admin", "service", "runner"), method), PermissionMissingError);
  });

  test("a caller without a role opens what is for anybody, and nothing else", () => {
    const open = methods.filter((method) => isPermitted(callerWith(), requirementOf(method))).map(nameOf);
    assert.deepEqual(open, ["xcloudflow.api.v1.ApiService/GetServerInfo"]);
    for (const service of [Health, ServerReflection] as readonly DescService[])
      for (const method of service.methods) assert.ok(isPermitted(callerWith(), requirementOf(method)));
  });

  test("says which role is missing", () => {
    assert.throws(() => requireRole(callerWith("planner"), ["operator"], "start an apply"), {
      message: "ada may not start an apply — this needs the role operator; an admin grants roles",
    });
    requireRole(callerWith("admin"), ["operator"], "start an apply");
  });
});
