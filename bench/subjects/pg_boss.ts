/**
 * pg-boss, with batches, several loops and no pause after a full batch, as its documentation advises;
 * with its LISTEN and NOTIFY where messages come while it works.
 *
 * @module
 */
import { type Body, BUSINESS_NOTE, type OpenOptions, type Session, type Work } from "./subject.ts";
import type { Subject } from "./subject.ts";
import { requirePeer } from "./registry.ts";
import { connected, effectOnce, inTransaction, type Pool } from "./node_postgres.ts";

interface Job {
  readonly id: string;
  readonly data: Body;
}

interface Executor {
  executeSql(text: string, values?: unknown[]): Promise<unknown>;
}

interface PgBoss {
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  on(event: "error", listener: (error: unknown) => void): void;
  createQueue(name: string, options?: object): Promise<void>;
  send(name: string, data: object, options?: object): Promise<unknown>;
  insert(name: string, jobs: readonly object[]): Promise<unknown>;
  work(name: string, options: object, handler: (jobs: Job[]) => Promise<unknown>): Promise<unknown>;
}

const QUEUE = "bench";
/**
 * Of 100, 500 and 1,000 a batch and 1, 2 and 4 loops the best. A batch is what is there, so that a large
 * one keeps no message waiting; one at a time falls behind for good where two notifications become one.
 */
const BATCH = 500;
const LOOPS = 2;

const grown = (columns: string, values: string) =>
  `insert into pgboss.job (name, data, state, ${columns})
   select 'bench', json_build_object('n', 0, 'at', 0, 'text', repeat('x', 150))::jsonb, ${values}
   from generate_series(1, $1::int) as i`;

export const subject: Subject = {
  name: "pg-boss",
  store: "postgres",
  packages: ["pg-boss"],
  settledSql:
    "select not exists (select from pgboss.job where name = 'bench' and state < 'completed' and start_after <= now()) as settled",
  growSql: [
    grown("completed_on", "'completed', now()"),
    grown("start_after", "'created', now() + interval '1 year'"),
  ],
  clearSql:
    "delete from pgboss.job where name = 'bench' and state < 'completed' and start_after < now() + interval '1 hour'",
  async open(options) {
    const { PgBoss } = requirePeer<{ PgBoss: new (options: object) => PgBoss }>(
      options.peers,
      "pg-boss",
    );
    const boss = new PgBoss({
      connectionString: options.url,
      supervise: false,
      schedule: false,
      max: 10,
      useListenNotify: options.awaits,
    });
    boss.on("error", (error) => console.error(error));
    return new PgBossSession(boss, await connected(options), options);
  },
};

class PgBossSession implements Session {
  readonly #boss: PgBoss;
  readonly #pool: Pool;
  readonly #awaits: boolean;
  #started: Promise<unknown> | null = null;

  constructor(boss: PgBoss, pool: Pool, { awaits }: OpenOptions) {
    this.#boss = boss;
    this.#pool = pool;
    this.#awaits = awaits;
  }

  async setUp(): Promise<void> {
    await this.#start();
    await this.#boss.createQueue(QUEUE, this.#awaits ? { notify: true } : {});
  }

  async publish(body: Body): Promise<unknown> {
    await this.#start();
    return await this.#boss.send(QUEUE, body);
  }

  async publishMany(bodies: readonly Body[]): Promise<unknown> {
    await this.#start();
    return await this.#boss.insert(QUEUE, bodies.map((data) => ({ data })));
  }

  async publishInTransaction(body: Body): Promise<unknown> {
    await this.#start();
    return await inTransaction(this.#pool, async (client) => {
      await client.query("insert into business (note) values ($1)", [BUSINESS_NOTE]);
      const db: Executor = { executeSql: (text, values) => client.query(text, values) };
      await this.#boss.send(QUEUE, body, { db });
    });
  }

  async work({ onMessage, effect }: Work): Promise<void> {
    await this.#start();
    const options = {
      batchSize: BATCH,
      localConcurrency: LOOPS,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: 0.5,
    };
    await this.#boss.work(QUEUE, options, async (jobs) => {
      if (effect) {
        await Promise.all(jobs.map(({ id, data }) => effectOnce(this.#pool, id, data)));
      }
      for (const { data } of jobs) onMessage(data);
    });
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: true });
    await this.#pool.end();
  }

  /** Starting is idempotent for us, and not part of what is measured: everything warms up first. */
  #start(): Promise<unknown> {
    return this.#started ??= this.#boss.start();
  }
}
