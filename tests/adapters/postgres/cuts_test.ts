/**
 * Transactions on connections that are cut at random bytes, before a real Postgres.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type pg from "pg";
import type postgres from "postgres";
import { pgStore } from "../../../adapters/pg/mod.ts";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import type { AtlastError } from "../../../core/errors.ts";
import type { Store } from "../../../core/ports/store.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { CuttingProxy } from "../../support/cutting_proxy.ts";
import { connectPg } from "../../support/pg.ts";
import { connect, freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { SEED } from "../../support/property.ts";
import { randomFrom } from "../../support/random.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const CUTS = 500;
/** On `pg` an open connection is lost in one way only. */
const CUTS_ON_PG = 200;
const WORKERS = 8;
const CONNECTIONS = 5;
/** Far more than any of its statements takes, and what a hung pool is found out by. */
const TIMEOUT_MS = 20_000;

type Tx = postgres.TransactionSql;

/** Something that runs transactions. */
type Begin = (work: (tx: unknown) => Promise<void>) => Promise<unknown>;

/** A client, and the store on it. */
interface Cut {
  readonly store: Store;
  readonly begin: Begin;
  run(tx: unknown, text: string, params?: string[]): PromiseLike<unknown>;
  end(): Promise<unknown>;
}

/** A client of postgres.js that is guarded. */
function guarded(url: string, schema: string, fetchTypes: boolean) {
  const options = { max: CONNECTIONS, fetch_types: fetchTypes, backoff: () => 0 };
  const sql = guardPostgres(connect(url, options), { statementTimeoutMs: TIMEOUT_MS });
  return {
    sql,
    store: postgresStore(sql, { schema, statementTimeoutMs: TIMEOUT_MS }) as Store,
    run: (tx: unknown, text: string, params?: string[]) => (tx as Tx).unsafe(text, params),
    end: () => sql.end({ timeout: 5 }),
  };
}

describe("transactions on connections that are cut", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  for (const fetchTypes of [false, true]) {
    it(`guarded client: no ghost, no hung pool (fetch_types: ${fetchTypes}, seed ${SEED})`, () =>
      survives((url, schema) => {
        const { sql, ...client } = guarded(url, schema, fetchTypes);
        return { ...client, begin: (work) => sql.begin(work) };
      }));

    it(`store: no ghost, no hung pool (fetch_types: ${fetchTypes}, seed ${SEED})`, () =>
      survives((url, schema) => {
        const { store, ...client } = guarded(url, schema, fetchTypes);
        return { ...client, store, begin: (work) => store.transaction(work) };
      }));
  }

  for (const pipeline of [false, true]) {
    it(`store on pg: no ghost, no hung pool (pipeline: ${pipeline}, seed ${SEED})`, () =>
      survives((url, schema) => {
        const pool = connectPg(url, { max: CONNECTIONS, pipeline });
        const store = pgStore(pool, { schema, statementTimeoutMs: TIMEOUT_MS }) as Store;
        return {
          store,
          begin: (work) => store.transaction(work),
          run: (tx, text, params) => (tx as pg.PoolClient).query(text, params),
          end: () => pool.end(),
        };
      }, CUTS_ON_PG));
  }
});

/**
 * Runs transactions whose work goes on after each failure, and cuts their connections. What was rejected is
 * not there, what was resolved is there as a whole, and the pool works when the cuts are over.
 */
async function survives(
  open: (url: string, schema: string) => Cut,
  cuts = CUTS,
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
  const { store, begin, run, end: endClient } = open(through.href, schema);
  try {
    await store.ready();
    await watcher.unsafe(`create table ${schema}.business (id text primary key)`);
    const ends = new Map<string, "resolved" | "rejected" | "unknown">();
    proxy.cutAll();
    // Some are cut while they are set up or fetch types, most in the middle of some transaction.
    proxy.budget = () => Math.floor(random() * (random() < 0.4 ? 800 : 12_000));
    const worker = async (name: number) => {
      for (let n = 0; proxy.cuts < cuts; n++) {
        const id = `${name}-${n}`;
        const work = async (tx: unknown) => {
          const goesOn = (step: PromiseLike<unknown>) => step.then(() => {}, () => {});
          await goesOn(run(tx, `insert into ${schema}.business values ('a-${id}')`));
          if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, n % 5));
          await goesOn(store.add("outbox", [recordOf(id)], NOW, tx));
          await goesOn(run(tx, `insert into ${schema}.business values ($1)`, [`b-${id}`]));
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
    await mustServe(begin, run);
  } finally {
    proxy.budget = () => Infinity;
    await endClient();
    await proxy.stop();
    await watcher.end();
    await admin.unsafe(`drop database ${schema} with (force)`);
    await admin.end();
  }
}

/** Has as many transactions as there are connections be open at once. */
async function mustServe(begin: Begin, run: Cut["run"]): Promise<void> {
  let open = 0;
  const all = Promise.withResolvers<void>();
  const one = async (): Promise<void> => {
    try {
      await begin(async (tx) => {
        await run(tx, "select 1");
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
