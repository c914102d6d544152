/**
 * Atlast on Postgres, through its public API, with its default guarantees: epochs, attempts, and
 * history kept for the default time.
 *
 * @module
 */
import postgres from "postgres";
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import { postgresStore, type TransactionOf } from "../../adapters/postgres/mod.ts";
import { idSource } from "../../bus/settings/ids.ts";
import { type Bus, type BusEvent, type BusOptions, createBus, subscribe } from "../../mod.ts";
import { MAX_BODY_BYTES, type Transport } from "../../ports.ts";
import { BUSINESS_NOTE } from "../fixtures/tables.ts";
import { BenchMessage } from "./atlast_message.ts";
import type { MessageBody } from "./message_body.ts";
import type { HandleOptions, OpenOptions, Session, Subject } from "./subject.ts";

type Sql = ReturnType<typeof postgres>;
type Tx = TransactionOf<Sql>;

const GROUP = "bench";
/** How many messages are handled in one transaction: as many as one claim takes. */
const MAX_BATCH = 1000;
/** Concurrent transactions with many messages each. More than the processors can run only wait. */
const BATCH_TRANSACTIONS = 4;
/** Concurrent transactions with one message each: one for each connection, as they mostly wait for the server. */
const CONNECTIONS = 10;
const IDLE: HandleOptions = {
  box: "outbox",
  onMessage: () => {},
  writesRow: false,
  batched: true,
  inTransaction: true,
};
const YEAR_MS = 365 * 24 * 60 * 60_000;

const settledRow = (expires: string) => `'succeeded', 1, 1, ${expires}`;
const insertMessages = (state: string, from: string) =>
  `insert into atlast.outbox (sent_at_ms, due_at_ms, created_at_ms, state, attempts, epoch, expires_at_ms,
     id, subscriber_group, name, body)
   select now_ms, ${from}, now_ms, ${state},
     lpad(to_hex(now_ms), 12, '0') || '-${from.length}-' || i, '', 'bench.measured', '{"n":0,"at":0,"text":"' || repeat('x', 150) || '"}'
   from generate_series(1, $1::int) as i, (select (extract(epoch from now()) * 1000)::bigint as now_ms) as clock`;

export const subject: Subject = {
  name: "atlast",
  store: "postgres",
  allSettledSql: null,
  addGrownSql: [
    insertMessages(settledRow("now_ms + 86400000"), "now_ms"),
    insertMessages(`'scheduled', 0, 0, null`, "now_ms + 31536000000 + i"),
  ],
  addExpiredSql: insertMessages(settledRow("now_ms - i"), "now_ms"),
  deleteDueSql:
    `delete from atlast.outbox where state = 'scheduled' and due_at_ms < extract(epoch from now()) * 1000 + 1000000`,
  open: (options) => Promise.resolve(new AtlastSession(options)),
};

/** How messages reach their subscribers. */
type Route = Partial<Pick<BusOptions, "transport" | "sharedStore">>;

class AtlastSession implements Session {
  readonly #sql: Sql;
  readonly #store;
  readonly #usesTwoRecords: boolean;
  readonly #newId = idSource();
  #bus: Bus<Tx>;
  #settled = 0;

  constructor({ url, lowRate, usesTwoRecords }: OpenOptions) {
    this.#usesTwoRecords = usesTwoRecords;
    this.#sql = postgres(url, { max: CONNECTIONS, fetch_types: false, onnotice: () => {} });
    this.#store = postgresStore(this.#sql);
    // The publisher names the groups, because subscribers may run in another process.
    const groups = { [BenchMessage.name]: [GROUP] };
    this.#bus = this.#newBus(
      IDLE,
      lowRate ? { sharedStore: { groups } } : { transport: createSink(() => {}) },
    );
  }

  async setUp(): Promise<void> {
    await this.#store.ready();
  }

  publish(body: MessageBody): Promise<unknown> {
    return this.#bus.publish(BenchMessage, body);
  }

  publishMany(bodies: readonly MessageBody[]): Promise<unknown> {
    return this.#bus.publishMany(BenchMessage, bodies);
  }

  publishInTransaction(body: MessageBody): Promise<unknown> {
    return this.#bus.transaction(async (tx) => {
      await tx`insert into business (note) values (${BUSINESS_NOTE})`;
      await this.#bus.publish(BenchMessage, body, { tx });
    });
  }

  publishDelayed(body: MessageBody): Promise<unknown> {
    return this.#bus.publish(BenchMessage, body, { delayMs: YEAR_MS });
  }

  /** Nothing else is due, so that a tick only prunes. */
  async prune(budgetMs: number): Promise<number> {
    const { pruned } = await this.#bus.tick({ budgetMs });
    return pruned;
  }

  async receiveMany(bodies: readonly MessageBody[]): Promise<unknown> {
    const nowMs = Date.now();
    return await this.#store.add(
      "inbox",
      bodies.map((body) => {
        const id = this.#newId(nowMs);
        return {
          id,
          group: GROUP,
          message: {
            id,
            name: BenchMessage.name,
            headers: {},
            contentType: "application/json",
            body: JSON.stringify(body),
            sentAtMs: nowMs,
          },
          state: "scheduled",
          dueAtMs: nowMs,
          deadlineMs: null,
          expiresAtMs: null,
          reason: null,
          retry: null,
          details: null,
          leaseUntilMs: null,
        };
      }),
      nowMs,
    );
  }

  async startHandling(handling: HandleOptions): Promise<void> {
    const route: Route = handling.box === "outbox"
      ? { transport: createSink(handling.onMessage) }
      : this.#usesTwoRecords
      ? { transport: inProcessTransport() }
      : { sharedStore: true };
    this.#bus = this.#newBus(handling, route);
    await this.#bus.start();
  }

  settledCount(): number {
    return this.#settled;
  }

  async close(): Promise<void> {
    await this.#bus.stop();
    await this.#sql.end();
  }

  #newBus(handling: HandleOptions, route: Route): Bus<Tx> {
    const box = handling.box === "outbox" ? "outbox" : "inbox";
    const observe = (event: BusEvent) => {
      if (event.kind === "succeeded" && event.box === box) this.#settled += 1;
    };
    const options = !handling.inTransaction
      ? { group: GROUP, transaction: false }
      : handling.batched
      ? { group: GROUP, maxBatch: MAX_BATCH }
      : { group: GROUP };
    const subscribers = handling.box === "outbox" ? [] : [
      subscribe<typeof BenchMessage, Tx>(
        BenchMessage,
        options,
        // One that writes nothing does not read `tx`.
        handling.writesRow
          ? async (body, { tx }) => {
            await tx`insert into effect (n, note) values (${body.n}, ${BUSINESS_NOTE})`;
            handling.onMessage(body);
          }
          : (body) => handling.onMessage(body),
      ),
    ];
    return createBus({
      store: this.#store,
      ...route,
      observe,
      batchSize: 1000,
      concurrency: !handling.batched ? CONNECTIONS : handling.writesRow ? BATCH_TRANSACTIONS : 2,
    }, subscribers);
  }
}

/** Creates a transport that passes each message to `onMessage` and sends it nowhere. */
function createSink(onMessage: (body: MessageBody) => void): Transport {
  return {
    capabilities: { maxBatch: 1000, maxBodyBytes: MAX_BODY_BYTES },
    routes: () => true,
    send(messages) {
      for (const { body } of messages) onMessage(JSON.parse(body as string));
      return Promise.resolve(messages.map(() => ({ kind: "sent" })));
    },
    close: () => Promise.resolve(),
  };
}
