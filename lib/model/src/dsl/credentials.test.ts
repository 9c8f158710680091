import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialsOf } from "./credentials.ts";
import { compileMonorepo } from "./monorepo.ts";

test("a role is the credential of its name, else a role that the cloud knows; plan and apply stay apart", () => {
  const { monorepo, problems } = compileMonorepo(
    new Map([
      [
        ".xcf.yaml",
        `kind: Platform
spec:
  credentials:
    aws-plan: {env: {AWS_ACCESS_KEY_ID: secret://env/PLAN_ID, AWS_SECRET_ACCESS_KEY: secret://env/PLAN_KEY}}
    aws-apply: {env: {AWS_ACCESS_KEY_ID: secret://env/APPLY_ID}}
`,
      ],
      [
        "envs/prod/environment.yaml",
        `kind: Environment
metadata: {name: prod}
spec:
  tier: production
  credentials:
    aws: {planRole: aws-plan, applyRole: aws-apply}
    gcp: {applyRole: deployer@project.iam.gserviceaccount.com}
`,
      ],
    ]),
  );
  assert.deepEqual(problems, []);
  const environment = monorepo.environments.get("prod");
  assert.ok(environment);
  assert.deepEqual(credentialsOf(monorepo, environment), {
    plan: {
      env: { AWS_ACCESS_KEY_ID: "secret://env/PLAN_ID", AWS_SECRET_ACCESS_KEY: "secret://env/PLAN_KEY" },
      roles: {},
    },
    apply: {
      env: { AWS_ACCESS_KEY_ID: "secret://env/APPLY_ID" },
      roles: { gcp: "deployer@project.iam.gserviceaccount.com" },
    },
  });
});
