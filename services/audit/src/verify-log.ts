import { decodeEvent } from "@xcloudflow/chassis/event";
import { tenantScope } from "@xcloudflow/database/scope";
import { openCheckpoint } from "@xcloudflow/model/checkpoint";
import { CodedError } from "@xcloudflow/model/coded-error";
import {
  appendLeaf,
  EMPTY_FRONTIER,
  equalHashes,
  hashLeaf,
  type MerkleFrontier,
  type MerkleNode,
  rootOf,
} from "@xcloudflow/model/merkle";
import { NoteMalformedError } from "@xcloudflow/model/signed-note";
import type { AuditContext } from "./audit-context.ts";
import { auditedEvent } from "./audited-event.ts";
import { checkpointOf, type LogPosition, verifierFor } from "./log-position.ts";
import { type LogPage, readLogPage, readLogState, type StoredRow } from "./verification-store.ts";

export interface LogVerdict {
  readonly intact: boolean;
  /** Entries read. */
  readonly size: number;
  /** Sentences that name the entries. */
  readonly findings: readonly string[];
}

const PAGE = 500;
const MAX_FINDINGS = 100;

/**
 * Reads the whole log as it is stored and recomputes everything: leaves from the events, the columns that queries use,
 * inner nodes, the log's row, and the root at every signed checkpoint, the witness's included.
 */
export async function verifyLog(context: AuditContext, tenant: string): Promise<LogVerdict> {
  const state = await context.database.transaction(tenantScope("audit", tenant, "verify-state"), (tx) =>
    readLogState(tx),
  );
  if (state === undefined) return { intact: true, size: 0, findings: [] };
  const { position, surplus } = state;
  const checks = createChecks(context, position);
  const witnessed = await readWitness(context, position.origin, checks);
  let frontier = EMPTY_FRONTIER;
  let next = 0;
  for (let from = 0; from < position.frontier.size; from += PAGE) {
    const until = Math.min(from + PAGE, position.frontier.size);
    const page = await context.database.transaction(tenantScope("audit", tenant, "verify-page"), (tx) =>
      readLogPage(tx, from, until),
    );
    for (const row of page.rows) {
      checks.row(row, next);
      next = Number(row.index) + 1;
      const appended = appendLeaf(frontier, hashLeaf(row.leaf));
      frontier = appended.frontier;
      checks.nodes(appended.completed, page);
      checks.stored(frontier, page.checkpoints.get(frontier.size));
      if (witnessed?.size === frontier.size) checks.root(frontier, witnessed.note);
    }
  }
  if (surplus > 0) checks.say(`${surplus} entries stand after the log's last one, ${position.frontier.size - 1}`);
  checks.end(next, frontier, witnessed?.size ?? 0);
  const findings = checks.findings.slice(0, MAX_FINDINGS);
  return { intact: findings.length === 0, size: frontier.size, findings };
}

interface Witnessed {
  readonly size: number;
  readonly note: string;
}

async function readWitness(
  { witness, signingKey }: AuditContext,
  origin: string,
  checks: Checks,
): Promise<Witnessed | undefined> {
  const note = await witness.latest(origin);
  if (note === undefined) return undefined;
  try {
    const checkpoint = openCheckpoint(note, verifierFor(signingKey, origin));
    if (checkpoint !== undefined) return { size: checkpoint.size, note };
  } catch (error) {
    if (!(error instanceof NoteMalformedError)) throw error;
  }
  checks.say("the witness's checkpoint is not signed by this installation's key");
  return undefined;
}

interface Checks {
  readonly findings: string[];
  say(finding: string): void;
  row(row: StoredRow, expected: number): void;
  nodes(completed: readonly MerkleNode[], page: LogPage): void;
  root(frontier: MerkleFrontier, note: string): void;
  stored(frontier: MerkleFrontier, note: string | undefined): void;
  end(count: number, frontier: MerkleFrontier, witnessed: number): void;
}

function createChecks({ signingKey }: AuditContext, position: LogPosition): Checks {
  const findings: string[] = [];
  const verifier = verifierFor(signingKey, position.origin);
  const say = (finding: string): void => void findings.push(finding);
  let agreed = 0;
  let isLocated = false;
  let lastStored = 0;
  /** A log that differs differs in every later root: the first one says where, the others nothing more. */
  const locate = (finding: string): void => {
    if (!isLocated) say(finding);
    isLocated = true;
  };
  const checks: Checks = {
    findings,
    say,
    row(row, expected) {
      const index = Number(row.index);
      if (index > expected) {
        isLocated = true;
        say(
          index === expected + 1 ? `entry ${expected} was dropped` : `entries ${expected} to ${index - 1} were dropped`,
        );
      }
      const problem = rowProblem(row);
      if (problem === undefined) return;
      isLocated ||= problem.changesTree;
      say(`entry ${index} (${row.event_id}, ${row.type}) ${problem.text}`);
    },
    nodes(completed, page) {
      if (isLocated) return;
      for (const { level, index, hash } of completed) {
        const stored = page.nodes.get(`${level}/${index}`);
        if (stored === undefined) say(`tree node ${level}/${index} is gone`);
        else if (!equalHashes(stored, hash)) say(`tree node ${level}/${index} was changed`);
      }
    },
    root(frontier, note) {
      try {
        const signed = openCheckpoint(note, verifier);
        if (signed === undefined)
          say(`the checkpoint over ${frontier.size} entries is not signed by this installation's key`);
        else if (signed.size !== frontier.size || signed.origin !== position.origin)
          say(`the checkpoint over ${frontier.size} entries is that of another log or size`);
        else if (equalHashes(signed.root, rootOf(frontier))) agreed = frontier.size;
        else
          locate(
            `entries ${agreed} to ${frontier.size - 1} are not those that were signed: they were rewritten or reordered`,
          );
      } catch (error) {
        if (!(error instanceof NoteMalformedError)) throw error;
        say(`the checkpoint over ${frontier.size} entries is no checkpoint`);
      }
    },
    stored(frontier, note) {
      if (note === undefined) return;
      lastStored = frontier.size;
      checks.root(frontier, note);
    },
    end(count, frontier, witnessed) {
      const { size } = position.frontier;
      const expected = Math.max(size, witnessed);
      if (count < expected) {
        isLocated = true;
        say(`entries ${count} to ${expected - 1} are missing at the end`);
      }
      if (size > 0 && lastStored < size) say(`the checkpoint over ${size} entries is gone`);
      if (!isLocated && !equalHashes(rootOf(frontier), checkpointOf(position).root))
        say("the log's row does not hold the root of its entries");
    },
  };
  return checks;
}

interface RowProblem {
  readonly text: string;
  /** Whether the tree over the entries is another one because of it. */
  readonly changesTree: boolean;
}

function rowProblem(row: StoredRow): RowProblem | undefined {
  if (!equalHashes(hashLeaf(row.leaf), row.leaf_hash))
    return { text: "was edited: it is not what its hash says", changesTree: true };
  try {
    const event = decodeEvent(row.leaf, `entry ${row.index}`);
    const { id, type, actor, concerns, time } = auditedEvent(event, row.leaf);
    const same =
      id === row.event_id &&
      type === row.type &&
      actor === row.actor &&
      time.getTime() === row.time.getTime() &&
      JSON.stringify(concerns) === JSON.stringify(row.concerns);
    return same
      ? undefined
      : { text: "is listed under what its event does not say: its columns were edited", changesTree: false };
  } catch (error) {
    if (error instanceof CodedError) return { text: "holds no event", changesTree: true };
    throw error;
  }
}
