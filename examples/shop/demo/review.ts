import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DANA, INES, LEE } from "./person.ts";
import { block } from "./screen.ts";
import { changeSetOf, type Step } from "./stage.ts";

export const planBranch: Step = async (stage) => {
  stage.tell(
    "A branch plans only what it affects",
    "Dana wants the queue to keep events for longer. One file of the repository differs, so one unit changes; the units " +
      "that depend on it are looked at, and stay as they are.",
  );
  await stage.git(DANA, "switch", "-q", "main");
  await stage.git(DANA, "merge", "-q", "second-replica", "more-machines", "-m", "Merge");
  await stage.git(DANA, "switch", "-qc", "keep-events");
  await stage.edit(DANA, "compositions/platform/queue.yaml", "retention_days: 4", "retention_days: 14", "Keep events");
  const text = await stage.xcf(DANA, "plan --env prod", {
    code: 2,
    meaning: "there are changes",
    says: ["input.retention_days: 4 → 14", "1 unit changes", "prod/api/server"],
    never: ["prod/database", "prod/network"],
    keep: [block(/^prod\/queue/), /^(Unchanged|Plan for|gate {6}·|ChangeSet|digest)/],
  });
  stage.recall.set("keep-events", changeSetOf(text));
};

export const refuseAuthor: Step = async (stage) => {
  const changeSet = stage.recall.get("keep-events") ?? "";
  stage.tell(
    "The author is refused, a lead is not",
    "Dana is a platform lead too. That does not help: whoever wrote, committed or asked for a change since it was last " +
      "applied does not count as its approver.",
  );
  await stage.xcf(DANA, `approve ${changeSet}`, {
    code: 1,
    says: ["dana@shop.example wrote part of this change and cannot approve it"],
  });
  await stage.xcf(LEE, `approve ${changeSet} --message looked-at-it`, { code: 0, says: ["approved"] });
};

export const applyMerged: Step = async (stage) => {
  const changeSet = stage.recall.get("keep-events") ?? "";
  stage.tell(
    "Merged and applied: an unrelated commit changes nothing",
    "Production waits for the merge. The approval is for content, not for a commit: Ines corrects the README in between, " +
      "what would run is byte for byte what Lee looked at, so it runs.",
  );
  await stage.xcf(DANA, `apply ${changeSet}`, {
    code: 3,
    meaning: "it waits for the merge",
    says: ["to be merged into main"],
    keep: [/^Run/],
  });
  await stage.git(DANA, "switch", "-q", "main");
  await stage.git(DANA, "merge", "-q", "keep-events");
  await stage.edit(INES, "README.md", "# Shop", "# The shop", "Correct the title");
  await stage.xcf(DANA, `apply ${changeSet}`, { code: 0, says: ["Applied"], keep: [/^✓/, /^Applied/] });
  await stage.xcf(DANA, "plan --env prod", { code: 0, meaning: "nothing to change", says: ["Nothing to change"] });
};

export const denyPublic: Step = async (stage) => {
  stage.tell(
    "A change that policy denies stops here",
    "No approval can help against a denial. The rules are those of what was last applied and of the change itself, and the " +
      "stricter of both counts: removing the policy on the same branch would not help either.",
  );
  await stage.git(DANA, "switch", "-qc", "open-database");
  await stage.edit(DANA, "compositions/platform/database.yaml", "public: false", "public: true", "Open the database");
  const text = await stage.xcf(DANA, "plan --env prod", {
    code: 4,
    meaning: "denied by policy",
    says: ["makes a production database public", "input.public: false → true"],
    keep: [/input\.public/, /^(Plan for|✗)/, /^ChangeSet/],
  });
  await stage.xcf(DANA, `apply ${changeSetOf(text)}`, { code: 4, says: ["denied"] });
};

export const refuseStale: Step = async (stage) => {
  stage.tell(
    "An approval of something else is worth nothing",
    "Lee approves three weeks of events; then Dana adds another commit and merges. What would run is not what Lee " +
      "approved, so nothing runs.",
  );
  await stage.git(DANA, "switch", "-qc", "longer-still", "main");
  await stage.edit(DANA, "compositions/platform/queue.yaml", "retention_days: 14", "retention_days: 21", "Three weeks");
  const changeSet = changeSetOf(
    await stage.xcf(DANA, "plan --env prod", {
      code: 2,
      says: ["14 → 21"],
      keep: [/retention/, /^(Plan|ChangeSet|digest)/],
    }),
  );
  await stage.xcf(LEE, `approve ${changeSet}`, { code: 0, says: ["approved"] });
  await stage.edit(DANA, "compositions/platform/queue.yaml", "retention_days: 21", "retention_days: 365", "A year");
  await stage.git(DANA, "switch", "-q", "main");
  await stage.git(DANA, "merge", "-q", "longer-still");
  await stage.xcf(DANA, `apply ${changeSet}`, { code: 6, meaning: "refused because stale", says: ["stale"] });
};

export const catchTampering: Step = async (stage) => {
  stage.tell(
    "The record cannot be changed without being noticed",
    "Every plan, decision, approval, refusal, lock and apply is a leaf of a Merkle tree whose checkpoints are signed. The export is " +
      "verified without a control plane; then somebody writes another name over Lee's.",
  );
  await stage.xcf(LEE, "audit query --type orchestrator.approval", {
    code: 0,
    says: [/approval\.given +lee@shop\.example/, /approval\.denied +dana@shop\.example/],
  });
  await stage.xcf(LEE, "audit export --log audit.jsonl --checkpoint audit.checkpoint", { code: 0 });
  await stage.xcf(LEE, `audit verify --log audit.jsonl --checkpoint audit.checkpoint${stage.verifyWith}`, {
    code: 0,
    says: ["Intact"],
  });
  const path = join(stage.folder, "audit.jsonl");
  const log = await readFile(path, "utf8");
  const lines = log.split("\n");
  const line = lines.findLastIndex((text) => text.includes("approval.given") && text.includes("lee@shop.example"));
  if (line < 0) throw new Error("the audit log does not tell of Lee's approval");
  lines[line] = lines[line]?.replaceAll("lee@shop.example", "mia@shop.example") ?? "";
  await writeFile(path, lines.join("\n"));
  stage.type(DANA, `sed -i '${line + 1} s/lee@shop.example/mia@shop.example/g' audit.jsonl`);
  await stage.xcf(LEE, `audit verify --log audit.jsonl --checkpoint audit.checkpoint${stage.verifyWith}`, {
    code: 1,
    meaning: "tampered with",
    says: ["Tampered with"],
  });
};
