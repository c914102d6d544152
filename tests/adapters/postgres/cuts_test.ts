/**
 * Transactions on connections that are cut at random bytes, before a real Postgres.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import type { AtlastError } from "../../../core/errors.ts";
import type { Store } from "../../../core/ports/store.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { CuttingProxy } from "../../support/cutting_proxy.ts";
import { connect, freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { SEED } from "../../support/property.ts";
import { randomFrom } from "../../support/random.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const CUTS = 500;
const WORKERS = 8;
const CONNECTIONS = 5;
/** Far more than any of its statements takes, and what a hung pool is found out by. */
const TIMEOUT_MS = 20_000;

type Tx = postgres.TransactionSql;

/** Something that runs transactions. */
type Begin = (work: (tx: Tx) => Promise<void>) => Promise<unknown>;

describe("transactions on connections that are cut", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  for (const fetchTypes of [false, true]) {
    it(`guarded client: no ghost, no hung pool (fetch_types: ${fetchTypes}, seed ${SEED})`, () =>
      survives(fetchTypes, (sql) => (work) => sql.begin(work)));

    it(`store: no ghost, no hung pool (fetch_types: ${fetchTypes}, seed ${SEED})`, () =>
      survives(fetchTypes, (_sql, store) => (work) => store.transaction(work)));
  }
});

/**
 * Runs transactions whose work goes on after each failure, and cuts their connections. What was rejected is
 * not there, what was resolved is there as a whole, and the pool works when the cuts are over.
 */
async function survives(
  fetchTypes: boolean,
  beginOf: (sql: postgres.Sql, store: Store<Tx>) => Begin,
): Promise<void> {
  const random = randomFrom(SEED);
  const schema = freshSchema();
  // A database of its own: in one that others make tables in, the types alone may be more than passes uncut.
  const admin = connect(url as string, { max: 1, fetch_types: false });
  await admin.unsafe(`create database ${schema}`);
  const own = new URL(url as string);
  own.pathname = `/${schema}`;
  const watcher = connect(own.href, { fetch_types: false });
  const proxy = await CuttingProxy.before(Number(new URL(url as string).port || 5432));
  const through = new URL(own);
  through.hostname = "127.0.0.1";
  through.port = String(proxy.port);
  const sql = guardPostgres(
    connect(through.href, { max: CONNECTIONS, fetch_types: fetchTypes, backoff: () => 0 }),
    { statementTimeoutMs: TIMEOUT_MS },
  );
  const store = postgresStore(sql, { schema, statementTimeoutMs: TIMEOUT_MS });
  try {
    await store.ready();
    await watcher.unsafe(`create table ${schema}.business (id text primary key)`);
    const begin = beginOf(sql, store as Store<Tx>);
    const ends = new Map<string, "resolved" | "rejected" | "unknown">();
    proxy.cutAll();
    // Some are cut while they are set up or fetch types, most in the middle of some transaction.
    proxy.budget = () => Math.floor(random() * (random() < 0.4 ? 800 : 12_000));
    const worker = async (name: number) => {
      for (let n = 0; proxy.cuts < CUTS; n++) {
        const id = `${name}-${n}`;
        const work = async (tx: Tx) => {
          const goesOn = (step: PromiseLike<unknown>) => step.then(() => {}, () => {});
          await goesOn(tx.unsafe(`insert into ${schema}.business values ('a-${id}')`));
          if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, n % 5));
          await goesOn(store.add("outbox", [recordOf(id)], NOW, tx));
          await goesOn(tx.unsafe(`insert into ${schema}.business values ($1)`, [`b-${id}`]));
        };
        await begin(work).then(
          () => ends.set(id, "resolved"),
          (error: AtlastError) => {
            ends.set(id, error.code === "outcome_unknown" ? "unknown" : "rejected");
          },
        );
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, name) => worker(name)));
    proxy.budget = () => Infinity;
    proxy.cutAll();
    const ids = [...ends.keys()];
    // What the server still works on is over once nobody else is in the tables.
    await watcher.begin((tx) => tx.unsafe(`lock table ${schema}.business in exclusive mode`));
    const business = await idsIn(watcher, `${schema}.business`);
    const messages = await idsIn(watcher, `${schema}.outbox`);
    const seen = (id: string) =>
      [business.has(`a-${id}`), messages.has(id), business.has(`b-${id}`)].map(Number).join("");
    for (const id of ids) {
      const end = ends.get(id);
      const wanted = { resolved: ["111"], rejected: ["000"], unknown: ["000", "111"] }[end!];
      assert.ok(wanted.includes(seen(id)), `seed ${SEED}, ${id}: ${end}, but ${seen(id)}`);
    }
    assert.ok([...ends.values()].includes("resolved"));
    assert.ok([...ends.values()].includes("rejected"));
    await mustServe(begin);
  } finally {
    proxy.budget = () => Infinity;
    await sql.end({ timeout: 5 });
    await proxy.stop();
    await watcher.end();
    await admin.unsafe(`drop database ${schema} with (force)`);
    await admin.end();
  }
}

/** Has as many transactions as there are connections be open at once. */
async function mustServe(begin: Begin): Promise<void> {
  let open = 0;
  const all = Promise.withResolvers<void>();
  const one = async (): Promise<void> => {
    try {
      await begin(async (tx) => {
        await tx`select 1`;
        open += 1;
        if (open === CONNECTIONS) all.resolve();
        await all.promise;
      });
    } catch (error) {
      // A connection that was idle when it was cut fails once.
      if ((error as AtlastError).code === "timeout") throw error;
      await one();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

async function idsIn(sql: postgres.Sql, table: string): Promise<Set<string>> {
  const rows = await sql.unsafe(`select id from ${table}`).values();
  return new Set(rows.map(([id]) => id as string));
}
