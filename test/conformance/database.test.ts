import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import {
  MigrationChangedError,
  SchemaNewerError,
  ScopeInvalidError,
  TransactionContendedError,
  TransactionNestedError,
} from "@xcloudflow/database/database-errors";
import { jsonb } from "@xcloudflow/database/json-column";
import { type Migration, migrate, type ServiceSchema } from "@xcloudflow/database/migrate";
import { createPostgresDatabase } from "@xcloudflow/database/postgres-database";
import { findUnprotectedRelations } from "@xcloudflow/database/row-security";
import { systemScope, tenantScope } from "@xcloudflow/database/scope";
import { isUniqueViolation, sqlState } from "@xcloudflow/database/sql-state";
import { tenantTable } from "@xcloudflow/database/tenant-table";
import { currentTransaction, signalAfterCommit } from "@xcloudflow/database/transaction-context";
import { type Generated, sql } from "kysely";
import { forEachDatabase, openFreshPglite } from "../support/databases.ts";
import { createPostgresUrl, openPostgres } from "../support/postgres.ts";

interface Tables {
  "ledger.accounts": { tenant: Generated<string>; id: string; balance: number };
  "ledger.values": {
    tenant: Generated<string>;
    id: string;
    bytes: Uint8Array | null;
    big: bigint | null;
    at: Date | null;
    exact: string | null;
    day: string | null;
    json: unknown;
    bigs: bigint[] | null;
    texts: string[] | null;
    times: Date[] | null;
  };
}

const accounts: Migration = {
  name: "0001-accounts",
  up: () => [
    ...tenantTable(
      "ledger.accounts",
      "id text not null, balance integer not null, constraint accounts_key primary key (tenant, id)",
    ),
    ...tenantTable(
      "ledger.values",
      `id text not null, bytes bytea, big bigint, at timestamptz, exact numeric, day date, json jsonb,
       bigs bigint[], texts text[], times timestamptz[], primary key (tenant, id)`,
    ),
  ],
};
const ledger: ServiceSchema = { service: "ledger", migrations: [accounts] };

const ada = (name: string) => tenantScope("ledger", "ada", name);
const bob = (name: string) => tenantScope("ledger", "bob", name);

forEachDatabase("a database", [ledger], ({ kind, database }) => {
  const tables = () => database().withTables<Tables>();

  test("gives back every kind of value the same", async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    const at = new Date("2026-03-29T01:30:00.123Z");
    const written = {
      id: "all",
      bytes,
      big: 9007199254740993n,
      at,
      exact: "1.10",
      day: "2026-02-28",
      bigs: [1n, 9007199254740993n],
      texts: ["a,b", 'say "hi"', "\\"],
      times: [at],
    };
    const read = await tables().transaction(ada("write-values"), async (tx) => {
      await tx
        .insertInto("ledger.values")
        .values({ ...written, json: jsonb([{ list: [1, "zwei", null] }]) })
        .execute();
      return await tx.selectFrom("ledger.values").selectAll().executeTakeFirstOrThrow();
    });
    assert.deepEqual(read, { ...written, tenant: "ada", json: [{ list: [1, "zwei", null] }] });
    assert.equal(Object.getPrototypeOf(read.bytes), Uint8Array.prototype);
  });

  test("keeps an empty byte string, nulls and text that is not ASCII", async () => {
    const read = await tables().transaction(ada("write-empty"), async (tx) => {
      await tx
        .insertInto("ledger.values")
        .values({ id: "é🌍", bytes: new Uint8Array(), json: jsonb("plain") })
        .execute();
      return await tx.selectFrom("ledger.values").selectAll().where("id", "=", "é🌍").executeTakeFirstOrThrow();
    });
    assert.deepEqual(
      [read.bytes, read.big, read.at, read.json, read.id],
      [new Uint8Array(), null, null, "plain", "é🌍"],
    );
  });

  test("undoes everything when the work fails", async () => {
    const failure = new Error("stop here");
    const work = tables().transaction(ada("fail"), async (tx) => {
      await tx.insertInto("ledger.accounts").values({ id: "undone", balance: 1 }).execute();
      throw failure;
    });
    await assert.rejects(work, (error) => error === failure);
    const rows = await tables().transaction(ada("look"), (tx) =>
      tx.selectFrom("ledger.accounts").selectAll().where("id", "=", "undone").execute(),
    );
    assert.deepEqual(rows, []);
  });

  test("does not commit when a failed statement was swallowed", async () => {
    const work = tables().transaction(ada("swallow"), async (tx) => {
      await tx.insertInto("ledger.accounts").values({ id: "swallowed", balance: 1 }).execute();
      await sql`select no_such_column`.execute(tx).catch(() => undefined);
    });
    await assert.rejects(work);
    const rows = await tables().transaction(ada("look"), (tx) =>
      tx.selectFrom("ledger.accounts").selectAll().where("id", "=", "swallowed").execute(),
    );
    assert.deepEqual(rows, []);
  });

  test("names the constraint that a duplicate breaks", async () => {
    const insert = () =>
      tables().transaction(ada("duplicate"), (tx) =>
        tx.insertInto("ledger.accounts").values({ id: "twice", balance: 1 }).execute(),
      );
    await insert();
    await assert.rejects(
      insert(),
      (error) => isUniqueViolation(error, "accounts_key") && !isUniqueViolation(error, "other_key"),
    );
  });

  test("shows a tenant only its own rows, in reads and in writes", async () => {
    for (const scope of [ada("leak"), bob("leak")]) {
      await tables().transaction(scope, (tx) =>
        tx.insertInto("ledger.accounts").values({ id: "shared-name", balance: 1 }).execute(),
      );
    }
    const seen = await tables().transaction(bob("leak-read"), async (tx) => {
      await tx.updateTable("ledger.accounts").set({ balance: 100 }).execute();
      await tx.deleteFrom("ledger.accounts").where("tenant", "=", "ada").execute();
      return await tx.selectFrom("ledger.accounts").select(["tenant", "balance"]).execute();
    });
    assert.deepEqual(seen, [{ tenant: "bob", balance: 100 }]);
    const untouched = await tables().transaction(ada("leak-check"), (tx) =>
      tx.selectFrom("ledger.accounts").select("balance").where("id", "=", "shared-name").executeTakeFirstOrThrow(),
    );
    assert.equal(untouched.balance, 1);
  });

  test("refuses to write a row for another tenant", async () => {
    const work = tables().transaction(bob("forge"), (tx) =>
      tx.insertInto("ledger.accounts").values({ tenant: "ada", id: "forged", balance: 1 }).execute(),
    );
    await assert.rejects(
      work,
      (error) => sqlState(error) === "42501" || (error instanceof Error && /row-level security/.test(error.message)),
    );
  });

  test("shows everybody's rows to the system role, which must name whose row it writes", async () => {
    const tenants = await tables().transaction(systemScope("ledger", "see-all"), (tx) =>
      tx.selectFrom("ledger.accounts").select("tenant").where("id", "=", "shared-name").orderBy("tenant").execute(),
    );
    assert.deepEqual(tenants, [{ tenant: "ada" }, { tenant: "bob" }]);
    const nameless = tables().transaction(systemScope("ledger", "forget-tenant"), (tx) =>
      tx.insertInto("ledger.accounts").values({ id: "x", balance: 1 }).execute(),
    );
    await assert.rejects(nameless, (error) => sqlState(error) === "23514");
  });

  test("forgets role and tenant after each transaction", async () => {
    await tables().transaction(ada("first"), async () => undefined);
    const { rows } = await database().asOwner("ledger.look-around", (tx) =>
      sql<{
        role: string;
        tenant: string | null;
      }>`select current_user as role, current_setting('xcf.tenant', true) as tenant`.execute(tx),
    );
    assert.notEqual(rows[0]?.role, "xcf_ledger");
    assert.notEqual(rows[0]?.tenant, "ada");
  });

  test("refuses a transaction inside a transaction, and allows one after it", async () => {
    const nested = tables().transaction(ada("outer"), () => tables().transaction(ada("inner"), async () => 1));
    await assert.rejects(nested, TransactionNestedError);
    assert.equal(await tables().transaction(ada("after"), async () => currentTransaction()), "ledger.after");
    assert.equal(currentTransaction(), undefined);
  });

  test("refuses scopes that could see more than they say", async () => {
    const scopes = [
      { ...ada("x"), tenant: "*" },
      { ...ada("x"), tenant: "" },
      { ...systemScope("ledger", "x"), tenant: "ada" },
      { ...ada("x"), role: "postgres" },
      { ...ada("x"), name: "Not a name" },
    ];
    for (const scope of scopes)
      await assert.rejects(
        database().transaction(scope, async () => undefined),
        ScopeInvalidError,
      );
  });

  test("cannot reach another service's schema", async () => {
    await migrate(database(), [
      {
        service: "vault",
        migrations: [{ name: "0001-keys", up: () => tenantTable("vault.keys", "id text primary key") }],
      },
    ]);
    const work = database().transaction(ada("trespass"), (tx) => sql`select * from vault.keys`.execute(tx));
    await assert.rejects(work, (error) => error instanceof Error && /permission denied/.test(error.message));
  });

  test("signals a topic after the commit, and not after a rollback", async () => {
    const seen: string[] = [];
    const forget = database().onSignal("ledger.changed", () => seen.push("signal"));
    await database().transaction(ada("signal"), async () => {
      signalAfterCommit("ledger.changed");
      signalAfterCommit("ledger.changed");
      seen.push("working");
    });
    const failing = database().transaction(ada("signal"), async () => {
      signalAfterCommit("ledger.changed");
      throw new Error("no");
    });
    await assert.rejects(failing);
    forget();
    await database().transaction(ada("signal"), async () => signalAfterCommit("ledger.changed"));
    assert.deepEqual(seen, ["working", "signal"]);
  });

  test("adds up fifty concurrent increments", async () => {
    await tables().transaction(ada("open"), (tx) =>
      tx.insertInto("ledger.accounts").values({ id: "sum", balance: 0 }).execute(),
    );
    const increments = Array.from({ length: 50 }, () =>
      tables().transaction({ ...ada("increment"), isolation: "serializable" }, async (tx) => {
        const { balance } = await tx
          .selectFrom("ledger.accounts")
          .select("balance")
          .where("id", "=", "sum")
          .executeTakeFirstOrThrow();
        await tx
          .updateTable("ledger.accounts")
          .set({ balance: balance + 1 })
          .where("id", "=", "sum")
          .execute();
      }),
    );
    const outcomes = await Promise.allSettled(increments);
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    for (const { reason } of lost) assert.ok(reason instanceof TransactionContendedError, String(reason));
    const { balance } = await tables().transaction(ada("sum"), (tx) =>
      tx.selectFrom("ledger.accounts").select("balance").where("id", "=", "sum").executeTakeFirstOrThrow(),
    );
    assert.equal(balance, 50 - lost.length);
    assert.equal(lost.length, 0);
  });

  test("migrates again, and from several callers at once, without effect", async () => {
    await Promise.all(Array.from({ length: 5 }, () => migrate(database(), [ledger])));
    const { rows } = await database().asOwner("ledger.look", (tx) =>
      sql`select name from ledger.migrations`.execute(tx),
    );
    assert.deepEqual(rows, [{ name: "0001-accounts" }]);
  });

  test("applies only the new migrations", async () => {
    const grown: ServiceSchema = {
      service: "growing",
      migrations: [{ name: "0001-a", up: () => tenantTable("growing.a", "id text primary key") }],
    };
    await migrate(database(), [grown]);
    const next = { name: "0002-b", up: () => ["alter table growing.a add column more text"] };
    await migrate(database(), [{ ...grown, migrations: [...grown.migrations, next] }]);
    // The program before it lives with what was added, and leaves it alone.
    await migrate(database(), [grown]);
    const breaking = {
      name: "0003-c",
      breaksOlder: true as const,
      up: () => ["alter table growing.a drop column more"],
    };
    await migrate(database(), [{ ...grown, migrations: [...grown.migrations, next, breaking] }]);
    await assert.rejects(migrate(database(), [grown]), SchemaNewerError);
    const { rows } = await database().asOwner("growing.look", (tx) =>
      sql`select name, breaks_older from growing.migrations order by position`.execute(tx),
    );
    assert.deepEqual(rows, [
      { name: "0001-a", breaks_older: false },
      { name: "0002-b", breaks_older: false },
      { name: "0003-c", breaks_older: true },
    ]);
  });

  test("keeps nothing of a migration that fails in the middle", async () => {
    const broken: ServiceSchema = {
      service: "broken",
      migrations: [
        { name: "0001-a", up: () => [...tenantTable("broken.a", "id text primary key"), "select no_such_column"] },
      ],
    };
    await assert.rejects(migrate(database(), [broken]));
    const { rows } = await database().asOwner("broken.look", (tx) =>
      sql`select 1 from pg_namespace where nspname = 'broken'`.execute(tx),
    );
    assert.deepEqual(rows, []);
  });

  test("refuses an edited migration", async () => {
    const edited = { ...accounts, up: () => [...accounts.up(), "select 1"] };
    await assert.rejects(migrate(database(), [{ service: "ledger", migrations: [edited] }]), MigrationChangedError);
  });

  test("finds what row-level security does not protect, and nothing else", async () => {
    assert.deepEqual(await findUnprotectedRelations(database(), ["ledger"]), []);
    const leaky: ServiceSchema = {
      service: "leaky",
      migrations: [
        {
          name: "0001-leaks",
          up: () => [
            "create table leaky.bare (id text)",
            "create table leaky.off (tenant text not null)",
            ...tenantTable("leaky.unforced", "id text"),
            "alter table leaky.unforced no force row level security",
            ...tenantTable("leaky.open", "id text"),
            "create policy open on leaky.open using (true)",
            ...tenantTable("leaky.fine", "id text"),
            "create view leaky.seen as select * from leaky.fine",
          ],
        },
      ],
    };
    await migrate(database(), [leaky]);
    const found = await findUnprotectedRelations(database(), ["ledger", "leaky"]);
    assert.deepEqual(
      found.map(({ relation }) => relation),
      ["leaky.bare", "leaky.off", "leaky.open", "leaky.seen", "leaky.unforced"],
    );
  });

  test(`makes roles that are neither superuser nor exempt from row-level security (${kind})`, async () => {
    const { rows } = await database().asOwner("ledger.roles", (tx) =>
      sql`select rolname, rolsuper or rolbypassrls or rolcanlogin or rolcreaterole as too_much from pg_roles
          where rolname in ('xcf_ledger', 'xcf_ledger_system') order by 1`.execute(tx),
    );
    assert.deepEqual(rows, [
      { rolname: "xcf_ledger", too_much: false },
      { rolname: "xcf_ledger_system", too_much: false },
    ]);
  });
});

describe("without the switch of role", () => {
  for (const [name, open] of [
    ["PGlite", () => openFreshPglite([ledger])],
    ["PostgreSQL", async () => openPostgres(await createPostgresUrl([ledger], "superuser"))],
  ] as const) {
    test(`the default user of ${name} sees every tenant's rows, so the switch is what protects`, async () => {
      const database: OwnedDatabase = await open();
      const tables = database.withTables<Tables>();
      await tables.transaction(ada("write"), (tx) =>
        tx.insertInto("ledger.accounts").values({ id: "secret", balance: 1 }).execute(),
      );
      const withSwitch = await tables.transaction(bob("read"), (tx) =>
        tx.selectFrom("ledger.accounts").selectAll().execute(),
      );
      const { rows: withoutSwitch } = await database.asOwner("ledger.leak", async (tx) => {
        await sql`select set_config('xcf.tenant', 'bob', true)`.execute(tx);
        return await sql`select tenant, id from ledger.accounts`.execute(tx);
      });
      assert.deepEqual(withSwitch, []);
      assert.deepEqual(withoutSwitch, [{ tenant: "ada", id: "secret" }]);
      await database.close();
    });
  }
});

test("a PostgreSQL that is not there is one clear error", async () => {
  const surroundings = { clock: createSystemClock(), random: createSystemRandom(), onConnectionLost: () => undefined };
  const missing = createPostgresDatabase({ url: "postgres://xcf:hunter2@127.0.0.1:1/none", ...surroundings });
  await assert.rejects(missing, {
    code: "DATABASE_UNREACHABLE",
    category: "unavailable",
    where: "postgres://127.0.0.1:1/none",
  });
});
