import { setTimeout as delay } from "node:timers/promises";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { migrate } from "@xcloudflow/database/migrate";
import { createPgliteDatabase } from "@xcloudflow/database/pglite-database";
import { tenantScope } from "@xcloudflow/database/scope";
import { tenantTable } from "@xcloudflow/database/tenant-table";
import { READY_FD } from "@xcloudflow/embedded/owner/owner-cli";
import { type ControlPlane, runOwner } from "@xcloudflow/embedded/owner/owner-process";
import { CodedError } from "@xcloudflow/model/coded-error";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@xcloudflow/proto/grpc/health/v1/health_pb";
import { sql } from "kysely";

/**
 * An owner for tests, as its own process: a real PGlite behind the health service, whose `Check` is made to do the work.
 * `append:X` writes X and answers once it is committed, `has:X` says whether it is there, `busy` and `free` switch isBusy,
 * `wait` answers never. Arguments: dir, version, lingerMs, and how to fail.
 */
const [dir = "", version = "", lingerMs = "0", failure = ""] = process.argv.slice(2);

class TestFailureError extends CodedError {
  constructor() {
    super("DATABASE_CORRUPT", "dataLoss", {
      what: "the database's files are damaged",
      where: "here",
      hint: "restore them",
    });
  }
}

async function startControlPlane(): Promise<ControlPlane> {
  if (failure === "coded") throw new TestFailureError();
  if (failure === "crash") {
    console.error("FATAL: last words");
    process.kill(process.pid, "SIGKILL");
  }
  if (failure === "slow") await delay(1500);
  const database = await createPgliteDatabase({
    directory: `${dir}/db`,
    clock: createSystemClock(),
    random: createSystemRandom(),
  });
  await migrate(database, [
    {
      service: "notes",
      migrations: [{ name: "0001-notes", up: () => tenantTable("notes.notes", "text text not null") }],
    },
  ]);
  let busy = false;

  async function check(command: string): Promise<Status> {
    const [verb, text = ""] = command.split(":");
    if (verb === "busy" || verb === "free") busy = verb === "busy";
    if (verb === "wait") await new Promise(() => undefined);
    return await database.transaction(tenantScope("notes", "default", "check"), async (tx) => {
      if (verb === "append") await sql`insert into notes.notes (text) values (${text})`.execute(tx);
      const { rows } = await sql`select 1 from notes.notes where text = ${text}`.execute(tx);
      return verb === "has" && rows.length !== 1 ? Status.NOT_SERVING : Status.SERVING;
    });
  }

  return {
    routes: (router) => router.service(Health, { check: async ({ service }) => ({ status: await check(service) }) }),
    isBusy: () => busy,
    close: () => database.close(),
  };
}

const code = await runOwner({
  dir,
  version,
  clock: createSystemClock(),
  startControlPlane,
  lingerMs: Number(lingerMs),
  readyFd: READY_FD,
  onStop: (stop) => process.once("SIGTERM", stop),
});
process.exit(code);
