import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiService } from "@xcloudflow/proto/api/v1/api_pb";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import fc from "fast-check";
import { type Caller, roleSchema } from "./caller.ts";
import { checkEnvironment, environmentOf, isLimited, visibleEnvironments } from "./environment-permissions.ts";
import {
  checkPermission,
  isPerEnvironment,
  isPermitted,
  PermissionMissingError,
  requirementOf,
} from "./permissions.ts";

const METHODS = [ApiService, OrchestratorService, StateService].flatMap((service) => [...service.methods]);
const ENVIRONMENTS = ["dev", "staging", "prod"];
const bindings = fc.array(
  fc.record({
    role: fc.constantFrom(...roleSchema.options),
    environments: fc.subarray(ENVIRONMENTS, { minLength: 1 }),
  }),
);
const callers: fc.Arbitrary<Caller> = fc.record({
  tenant: fc.constant("t"),
  subject: fc.constant("ada"),
  groups: fc.constant<string[]>([]),
  roles: fc.subarray([...roleSchema.options]),
  assurance: fc.constant("token" as const),
  bindings,
});
const permits = (work: () => void): boolean => {
  try {
    work();
    return true;
  } catch (error) {
    assert.ok(error instanceof PermissionMissingError);
    return false;
  }
};

describe("roles in environments", () => {
  test("open a method in exactly the environments where they are held", () => {
    fc.assert(
      fc.property(callers, fc.constantFrom(...METHODS), (caller, method) => {
        const requirement = requirementOf(method);
        for (const environment of ENVIRONMENTS) {
          const held = (caller.bindings ?? []).filter((binding) => binding.environments.includes(environment));
          const expected = isPermitted({ roles: [...caller.roles, ...held.map(({ role }) => role)] }, requirement);
          assert.equal(
            permits(() => checkEnvironment(caller, method, environment)),
            expected,
          );
          assert.equal(visibleEnvironments(caller, method)?.includes(environment) ?? true, expected);
        }
        assert.equal(
          permits(() => checkEnvironment(caller, method, "")),
          isPermitted(caller, requirement),
        );
        assert.equal(
          permits(() => checkEnvironment(caller, method, "elsewhere")),
          isPermitted(caller, requirement),
        );
        assert.equal(isLimited(caller, method), !isPermitted(caller, requirement));
      }),
    );
  });

  test("never open a method that is not held to environments", () => {
    fc.assert(
      fc.property(callers, fc.constantFrom(...METHODS), (caller, method) => {
        if (!isPerEnvironment(method))
          assert.equal(
            permits(() => checkPermission(caller, method)),
            isPermitted(caller, requirementOf(method)),
          );
      }),
    );
    assert.equal(isPerEnvironment(ApiService.method.createToken), false);
    assert.equal(isPerEnvironment(ApiService.method.queryAudit), false);
  });

  test("say the same of a method at the edge and at the service behind it", () => {
    for (const service of [OrchestratorService, StateService])
      for (const method of service.methods) {
        const edge = ApiService.methods.find(({ name }) => name === method.name);
        if (edge !== undefined && edge.input === method.input)
          assert.equal(isPerEnvironment(edge), isPerEnvironment(method), method.name);
      }
  });

  test("are found from every kind of name", () => {
    for (const name of ["prod", "prod@eu-west-1", "prod/shop/db", "prod/shop@eu-west-1/db"])
      assert.equal(environmentOf(name), "prod");
  });
});
