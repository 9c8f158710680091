import type { Migration } from "@xcloudflow/database/migrate";
import { outboxTable } from "@xcloudflow/database/outbox";
import { tenantTable } from "@xcloudflow/database/tenant-table";

export const orchestrator: Migration = {
  name: "0001-orchestrator",
  up: () => [
    ...outboxTable("orchestrator"),
    ...tenantTable(
      "orchestrator.run",
      `id text not null, kind text not null, phase text not null, status text not null, environment text not null,
       repository text not null, change_set text, request text not null, actor text not null,
       idempotency_key text, waiting_kind text, waiting_for text, unfinished integer not null, concurrency integer not null,
       failure text, created_at text not null, ended_at text, sequence integer not null, primary key (tenant, id)`,
    ),
    ...tenantTable("orchestrator.compilation", `run text not null, document text not null, primary key (tenant, run)`),
    `create unique index run_idempotency on orchestrator.run (tenant, idempotency_key) where idempotency_key is not null`,
    `create index run_active on orchestrator.run (tenant) where phase <> 'done'`,
    ...tenantTable(
      "orchestrator.step",
      `run text not null, unit text not null, status text not null, stage text not null, engine text not null,
       lifecycle text not null, destroy boolean not null, waiting_on integer not null, attempts integer not null,
       reason text, outcome_was_unknown boolean not null, plan text, result text, inputs text, successor text,
       started_at text, ended_at text, primary key (tenant, run, unit)`,
    ),
    `create index step_unit on orchestrator.step (tenant, unit, run desc)`,
    ...tenantTable(
      "orchestrator.step_edge",
      `run text not null, "from" text not null, "to" text not null, primary key (tenant, run, "from", "to")`,
    ),
    ...tenantTable(
      "orchestrator.task",
      `id text not null, run text not null, unit text not null, environment text not null, kind text not null,
       engine text not null, pool text not null, status text not null, spec text not null, tries integer not null,
       attempt integer not null, worker text, available_at text not null, lease_expires_at text,
       cancel_requested boolean not null, unknown_attempts text not null, concurrency integer not null,
       created_at text not null, primary key (tenant, id)`,
    ),
    `create index task_open on orchestrator.task (engine, pool, created_at) where status in ('queued', 'leased')`,
    `create index task_run on orchestrator.task (tenant, run)`,
    ...tenantTable(
      "orchestrator.attempt",
      `task text not null, attempt integer not null, unit text not null, run text not null, worker text not null,
       claimed_at text not null, ended_at text, outcome text not null, detail text, primary key (tenant, task, attempt)`,
    ),
    `create index attempt_unit on orchestrator.attempt (tenant, unit, attempt desc)`,
    ...tenantTable("orchestrator.unit_fence", `unit text not null, value integer not null, primary key (tenant, unit)`),
    ...tenantTable(
      "orchestrator.change_set",
      `id text not null, environment text not null, repository text not null, digest text not null, phase text not null,
       reason text, dirty boolean not null, author text not null, authors text not null, gates text not null,
       commit text not null, series text not null, plan_run text not null, apply_run text, parent text,
       created_at text not null, expires_at text not null, primary key (tenant, id)`,
    ),
    `create index change_set_series on orchestrator.change_set (tenant, series)`,
    ...tenantTable(
      "orchestrator.approval",
      `change_set text not null, subject text not null, decision text not null, digest text not null, comment text not null,
       groups text not null, assurance text not null, at text not null, primary key (tenant, change_set, subject)`,
    ),
    ...tenantTable(
      "orchestrator.lock",
      `kind text not null, name text not null, run text not null, mode text not null, reason text not null, since text not null,
       primary key (tenant, kind, name, run)`,
    ),
    ...tenantTable(
      "orchestrator.governance",
      `repository text not null, environment text not null, commit text not null, changed_at text not null, primary key (tenant, repository, environment)`,
    ),
    ...tenantTable(
      "orchestrator.run_update",
      `run text not null, sequence integer not null, time text not null, kind text not null, document text not null, primary key (tenant, run, sequence)`,
    ),
    ...tenantTable(
      "orchestrator.worker",
      `id text not null, engines text not null, seen_at text not null, primary key (tenant, id)`,
    ),
  ],
};
