import type { Migration } from "@xcloudflow/database/migrate";

/**
 * For several orchestrators over one database: who drives a run, and how many tasks of an environment write right now.
 * The function counts what is committed once it has the environment to itself (each statement in it sees the newest
 * rows); a count in the claiming statement would miss a claim that commits at the same moment.
 */
export const replicas: Migration = {
  name: "0003-replicas",
  up: () => [
    "alter table orchestrator.run add column driven_by text, add column driven_until text",
    `create function orchestrator.writing_tasks(wanted text) returns integer language plpgsql volatile as $$
     begin
       perform pg_advisory_xact_lock(
         hashtextextended('orchestrator.environment ' || current_setting('xcf.tenant') || ' ' || wanted, 0));
       return (select count(*) from orchestrator.task
               where environment = wanted and status = 'leased' and kind in ('apply', 'restore'));
     end $$`,
  ],
};
