/**
 * A process of the crash run on Postgres.
 *
 * @module
 */
import postgres from "postgres";
import { fromPostgresJs, guardPostgres, postgresFence, postgresStore } from "@atlast/bus/postgres";
import { type ConfigWith, DATABASE, type PostgresConfig } from "../protocol.ts";
import { acknowledge, affect, contend, pay, placing } from "./sql_business.ts";
import type { WorkerStore } from "./worker_store.ts";

/** How many connections a process has for its store, and for the operations of its half messages. */
const STORE_CONNECTIONS = 10;
const FENCE_CONNECTIONS = 4;
/** How long a statement may take, in milliseconds: a small part of the time after which a call has hung. */
const STATEMENT_TIMEOUT_MS = 8_000;
/** How long a client waits before it connects again, in seconds. */
const RECONNECT_SECONDS = 0.2;
/** The share of transactions at another isolation level that change rows others change. */
const SERIALIZABLE = 0.1;

type Tx = postgres.TransactionSql;

/** Connects; the connections are made when they are needed. */
export function postgresWorkerStore(
  { service, store: config }: ConfigWith<PostgresConfig>,
): WorkerStore<Tx> {
  const sql = clientOf(config, STORE_CONNECTIONS);
  // The stock service has no half messages.
  const business = service === "orders" ? clientOf(config, FENCE_CONNECTIONS) : null;
  const statementTimeoutMs = STATEMENT_TIMEOUT_MS;
  const clients = [sql, ...business === null ? [] : [business]];
  return {
    store: postgresStore(sql, { schema: service, statementTimeoutMs }),
    fence: business && postgresFence(business, { schema: "ledger", statementTimeoutMs }),
    placements: {
      "bus.transaction": (placement) =>
        placement.bus.transaction(placing(fromPostgresJs, placement)),
      "sql.begin": async (placement) => {
        const work = placing<Tx>(fromPostgresJs, placement);
        if (placement.random() >= SERIALIZABLE) return void await sql.begin(work);
        await sql.begin("isolation level serializable", async (tx) => {
          await contend(fromPostgresJs(tx), placement.random);
          await work(tx);
        });
      },
    },
    acknowledge: (messageId) => acknowledge(fromPostgresJs(sql), messageId),
    pay: (tx, orderId) => pay(fromPostgresJs(tx), orderId),
    affect: (tx, effect) => affect(fromPostgresJs(tx), effect),
    contend: (tx, random) => contend(fromPostgresJs(tx), random),
    probes: clients.map((client) => async () => await client`select 1`),
    standing: null,
  };
}

function clientOf({ port, prepare, isolation }: PostgresConfig, max: number): postgres.Sql {
  const client = postgres(`postgres://postgres@127.0.0.1:${port}/${DATABASE}`, {
    max,
    prepare,
    fetch_types: false,
    connect_timeout: 5,
    // The default would wait for up to 20 s after the server is back.
    backoff: () => RECONNECT_SECONDS,
    onnotice: () => {},
    ...isolation === undefined ? {} : { connection: { default_transaction_isolation: isolation } },
  });
  return guardPostgres(client, { statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}
