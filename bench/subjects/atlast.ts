/**
 * Atlast on Postgres, through its public API, with all that it guarantees: epochs, attempts, history
 * kept for its default time.
 *
 * @module
 */
import postgres from "postgres";
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import { sharedStoreTransport } from "../../adapters/shared_store/mod.ts";
import { postgresStore, type TransactionOf } from "../../adapters/postgres/mod.ts";
import { idSource } from "../../bus/settings/ids.ts";
import {
  type Bus,
  type BusEvent,
  createBus,
  defineMessage,
  MAX_BODY_BYTES,
  type Schema,
  subscribe,
  type Transport,
} from "../../mod.ts";
import { type Body, BUSINESS_NOTE, type OpenOptions, type Session, type Work } from "./subject.ts";
import type { Subject } from "./subject.ts";

type Sql = ReturnType<typeof postgres>;
type Tx = TransactionOf<Sql>;

/** Peers check no bodies, so neither does this contract. */
const anything: Schema<Body> = {
  "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value: value as Body }) },
};
const Measured = defineMessage("bench.measured", { body: anything });
const GROUP = "bench";
/** How many messages are handled in one transaction: as many as are claimed at once. */
const MAX_BATCH = 1000;
/** Transactions at once with many messages in each: more than the processors run only wait for each other. */
const WIDE_TRANSACTIONS = 4;
/** With one message in each, as many as there are connections: most of their time is the round trip's. */
const CONNECTIONS = 10;
const IDLE: Work = {
  side: "outbox",
  onMessage: () => {},
  effect: false,
  batched: true,
  inTransaction: true,
};
const YEAR_MS = 365 * 24 * 60 * 60_000;

const settledRow = (expires: string) => `'succeeded', 1, 1, ${expires}`;
const grown = (state: string, from: string) =>
  `insert into atlast.outbox (sent_at_ms, due_at_ms, created_at_ms, state, attempts, epoch, expires_at_ms,
     id, subscriber_group, name, body)
   select now_ms, ${from}, now_ms, ${state},
     lpad(to_hex(now_ms), 12, '0') || '-${from.length}-' || i, '', 'bench.measured', '{"n":0,"at":0,"text":"' || repeat('x', 150) || '"}'
   from generate_series(1, $1::int) as i, (select (extract(epoch from now()) * 1000)::bigint as now_ms) as clock`;

export const subject: Subject = {
  name: "atlast",
  store: "postgres",
  packages: [],
  settledSql: null,
  growSql: [
    grown(settledRow("now_ms + 86400000"), "now_ms"),
    grown(`'scheduled', 0, 0, null`, "now_ms + 31536000000 + i"),
  ],
  expireSql: grown(settledRow("now_ms - i"), "now_ms"),
  clearSql:
    `delete from atlast.outbox where state = 'scheduled' and due_at_ms < extract(epoch from now()) * 1000 + 1000000`,
  open: (options) => Promise.resolve(new AtlastSession(options)),
};

class AtlastSession implements Session {
  readonly #sql: Sql;
  readonly #store;
  readonly #sent: boolean;
  readonly #newId = idSource();
  #bus: Bus<Tx>;
  #settled = 0;

  constructor({ url, sparse, sent }: OpenOptions) {
    this.#sent = sent;
    this.#sql = postgres(url, { max: CONNECTIONS, fetch_types: false, onnotice: () => {} });
    this.#store = postgresStore(this.#sql);
    // Where the worker is another process, the publisher names its groups.
    const groups = { [Measured.name]: [GROUP] };
    this.#bus = this.#newBus(IDLE, sparse ? sharedStoreTransport({ groups }) : sink(() => {}));
  }

  async setUp(): Promise<void> {
    await this.#store.ready();
  }

  publish(body: Body): Promise<unknown> {
    return this.#bus.publish(Measured, body);
  }

  publishMany(bodies: readonly Body[]): Promise<unknown> {
    return this.#bus.publishMany(Measured, bodies);
  }

  publishInTransaction(body: Body): Promise<unknown> {
    return this.#bus.transaction(async (tx) => {
      await tx`insert into business (note) values (${BUSINESS_NOTE})`;
      await this.#bus.publish(Measured, body, { tx });
    });
  }

  publishDelayed(body: Body): Promise<unknown> {
    return this.#bus.publish(Measured, body, { delayMs: YEAR_MS });
  }

  /** Nothing else is due, so that a tick does nothing but clean up. */
  async prune(budgetMs: number): Promise<number> {
    const { pruned } = await this.#bus.tick({ budgetMs });
    return pruned;
  }

  async receiveMany(bodies: readonly Body[]): Promise<unknown> {
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
            name: Measured.name,
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

  async work(work: Work): Promise<void> {
    const transport = work.side === "outbox"
      ? sink(work.onMessage)
      : this.#sent
      ? inProcessTransport()
      : sharedStoreTransport();
    this.#bus = this.#newBus(work, transport);
    await this.#bus.start();
  }

  settled(): number {
    return this.#settled;
  }

  async close(): Promise<void> {
    await this.#bus.stop();
    await this.#sql.end();
  }

  #newBus(work: Work, transport: Transport): Bus<Tx> {
    const box = work.side === "outbox" ? "outbox" : "inbox";
    const observe = (event: BusEvent) => {
      if (event.kind === "succeeded" && event.box === box) this.#settled += 1;
    };
    const options = !work.inTransaction
      ? { group: GROUP, transaction: false }
      : work.batched
      ? { group: GROUP, maxBatch: MAX_BATCH }
      : { group: GROUP };
    const subscribers = work.side === "outbox" ? [] : [
      subscribe<typeof Measured, Tx>(
        Measured,
        options,
        async (body, { tx }) => {
          if (work.effect) {
            await tx`insert into effect (n, note) values (${body.n}, ${BUSINESS_NOTE})`;
          }
          work.onMessage(body);
        },
      ),
    ];
    return createBus({
      store: this.#store,
      transport,
      observe,
      batchSize: 1000,
      concurrency: !work.batched ? CONNECTIONS : work.effect ? WIDE_TRANSACTIONS : 2,
    }, subscribers);
  }
}

/** A transport that carries nothing. */
function sink(onMessage: (body: Body) => void): Transport {
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
