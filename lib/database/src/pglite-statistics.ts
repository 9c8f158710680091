import type { PGlite } from "@electric-sql/pglite";

/** Says when the planner should look at the tables again. */
export interface StatisticsSchedule {
  /** Called after each transaction; true when it is time. */
  isDue(): boolean;
}

const FIRST = 100;
const GROWTH = 4;
const LAST = 25_600;

/**
 * PostgreSQL's autovacuum, which keeps the planner's statistics, does not run in PGlite. Without any, every table looks as
 * small as when it was made, and a plan may walk all rows of the tenant for one by its key: a claim or a report then costs
 * more with every task there ever was. Often at first, when tables grow by multiples, later seldom.
 */
export function createStatisticsSchedule(): StatisticsSchedule {
  let transactions = 0;
  let next = FIRST;
  return {
    isDue() {
      transactions += 1;
      if (transactions < next) return false;
      next = transactions + Math.min(transactions * (GROWTH - 1), LAST);
      return true;
    },
  };
}

const TABLES = `select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') order by 1`;

/** Looks at a sample of every table; between transactions only. */
export async function gatherStatistics(pglite: PGlite): Promise<void> {
  const { rows } = await pglite.query<{ readonly name: string }>(TABLES);
  if (rows.length > 0) await pglite.exec(`analyze ${rows.map(({ name }) => name).join(", ")}`);
}
