import { DANA, INES, LEE } from "./person.ts";
import { block } from "./screen.ts";
import { changeSetOf, type Step } from "./stage.ts";

const DONE = /^✓ .* done/;

export const checkFiles: Step = async (stage) => {
  stage.tell(
    "What the files say",
    "Two environments assemble six compositions. Modules whose inputs name outputs of others make the order of things; nobody " +
      "writes it down.",
  );
  await stage.xcf(DANA, "validate", { code: 0, says: ["13 units, 6 policy tests passed"] });
  await stage.xcf(DANA, "graph --env dev", { code: 0, says: ["wave 4"] });
};

export const explainDecision: Step = async (stage) => {
  stage.tell(
    "One matrix decides, and says why",
    "Nobody wrote down how this database is planned, gated, watched and backed up. Its lifecycle and change frequency pick " +
      "a row of the matrix; what somebody did override names its file and line.",
  );
  await stage.xcf(DANA, "explain prod/database/orders", {
    code: 0,
    says: [/drift +correct +matrix/, /gate +forced .*platform-leads.* policy +policies\/approvals\.yaml:/],
  });
};

export const planDevelopment: Step = async (stage) => {
  stage.tell(
    "The first rollout: what is not known yet is shown as such",
    "The cluster needs subnet ids that exist only after the network does: Terraform plans it with " +
      "real unknowns, and no mock value is ever applied.",
  );
  const text = await stage.xcf(DANA, "plan --env dev", {
    code: 2,
    meaning: "there are changes",
    says: ["provisional", "input.password = (known after apply)"],
    never: [/(?<!sha256:)\b[0-9a-f]{64}\b/],
    keep: [
      block(/^dev\/cluster/, /^dev|provisional|"kind": "cluster"/),
      block(/^dev\/api/, /^dev|provisional|input\.(replicas|settings|password)|output url/),
      /^(Plan for|gate {6}·|ChangeSet)/,
    ],
  });
  stage.recall.set("dev", changeSetOf(text));
};

export const applyDevelopment: Step = async (stage) => {
  stage.tell(
    "Each unit is planned again with real values before it is applied",
    "It goes on only inside what was approved: the same resources, the same or milder actions, every known value equal. " +
      "In this development environment the author's own apply counts as the approval, and the record says so.",
  );
  await stage.xcf(DANA, "apply", { code: 0, says: ["Applied"], keep: [DONE, /^Applied/] });
  await stage.xcf(DANA, "plan --env dev", { code: 0, meaning: "nothing to change", says: ["Nothing to change"] });
};

export const rollOutProduction: Step = async (stage) => {
  stage.tell(
    "Production: the same compositions, other gates",
    "Two regions, one policy that warns, and approval by a platform lead. Lee's approval binds to the digest of exactly " +
      "what was planned.",
  );
  const text = await stage.xcf(DANA, "plan --env prod", {
    code: 2,
    says: ["storefront-us-east-1 has a single replica", "1 approval from platform-leads (not its authors)"],
    keep: [/^(Plan for|! warning|gate {6}·|ChangeSet|digest)/],
  });
  const changeSet = changeSetOf(text);
  await stage.xcf(DANA, "apply", {
    code: 3,
    meaning: "it waits for people",
    says: ["0 of 1 approval from platform-leads"],
    keep: [/^Run/],
  });
  await stage.xcf(LEE, `approve ${changeSet}`, { code: 0, says: ["approved"] });
  await stage.xcf(DANA, `apply ${changeSet}`, {
    code: 0,
    says: ["Applied"],
    keep: [/^Applied/],
  });
};

export const waitForFoundation: Step = async (stage) => {
  stage.tell(
    "A Foundation change holds everything above it back",
    "Ines adds machines to the cluster, which takes a while. Whatever stands on it waits, Dana's second storefront replica " +
      "too, until the cluster has been applied and verified; then Dana's run goes on by itself.",
  );
  const environment = "envs/dev/environment.yaml";
  await stage.git(DANA, "switch", "-qc", "second-replica");
  await stage.edit(
    DANA,
    environment,
    "regions: [eu-west-1]",
    "regions: [eu-west-1]\n      parameters: {replicas: 2}",
    "Run two",
  );
  const replicas = changeSetOf(await stage.look(DANA, "plan --env dev"));
  await stage.git(INES, "switch", "-qc", "more-machines", "main");
  await stage.edit(
    INES,
    environment,
    "- ref: compositions/foundation/cluster\n",
    "- ref: compositions/foundation/cluster\n      parameters: {pools: {general: {machines: 3, joins_after: 0}, batch: {machines: 2, joins_after: 6}}}\n",
    "Add batch machines",
  );
  const machines = changeSetOf(await stage.look(INES, "plan --env dev"));
  const foundation = stage.start(INES, `apply ${machines}`, { code: 0, says: ["Applied"], keep: [/^Applied/] });
  await stage.until("the tier lock is taken", async () =>
    (await stage.look(DANA, "unlock")).includes(`Foundation change, ChangeSet ${machines}`),
  );
  await stage.git(DANA, "switch", "-q", "second-replica");
  await stage.xcf(DANA, `apply ${replicas}`, {
    code: 3,
    meaning: "it waits for the lock",
    says: ["the tier lock of dev", "Foundation change"],
    keep: [/^Run/],
  });
  await stage.xcf(DANA, "unlock", { code: 0, says: ["tier"], keep: [/tier/] });
  await stage.xcf(DANA, "why dev/storefront@eu-west-1/web", {
    code: 0,
    says: ["waits for the tier lock of dev"],
    keep: [/waits for the tier/],
  });
  await foundation.ended();
  await stage.xcf(DANA, `apply ${replicas} --wait`, { code: 0, says: ["Applied"], keep: [/^Applied/] });
};
