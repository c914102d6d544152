/**
 * pg-boss, with batches, several loops and no pause after a full batch, as its documentation advises. It
 * uses LISTEN and NOTIFY if messages are published while it handles.
 *
 * @module
 */
import { BUSINESS_NOTE } from "../fixtures/tables.ts";
import type { MessageBody } from "./message_body.ts";
import type { HandleOptions, OpenOptions, Session, Subject } from "./subject.ts";
import { requirePeer } from "../peers/packages.ts";
import {
  inTransaction,
  openPool,
  type Pool,
  writeRowOnce,
  writeRowsOnce,
} from "./node_postgres.ts";

interface Job {
  readonly id: string;
  readonly data: MessageBody;
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
 * The fastest of batches of 100, 500 and 1,000 with 1, 2 and 4 loops. A large batch delays no message: it
 * takes what is there. Batches of one fall behind for good when two notifications become one.
 */
const BATCH = 500;
const LOOPS = 2;

const insertJobs = (columns: string, values: string) =>
  `insert into pgboss.job (name, data, state, ${columns})
   select 'bench', json_build_object('n', 0, 'at', 0, 'text', repeat('x', 150))::jsonb, ${values}
   from generate_series(1, $1::int) as i`;

export const subject: Subject = {
  name: "pg-boss",
  store: "postgres",
  allSettledSql:
    "select not exists (select from pgboss.job where name = 'bench' and state < 'completed' and start_after <= now()) as settled",
  addGrownSql: [
    insertJobs("completed_on", "'completed', now()"),
    insertJobs("start_after", "'created', now() + interval '1 year'"),
  ],
  deleteDueSql:
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
      useListenNotify: options.needsNotifications,
    });
    boss.on("error", (error) => console.error(error));
    return new PgBossSession(boss, await openPool(options), options);
  },
};

class PgBossSession implements Session {
  readonly #boss: PgBoss;
  readonly #pool: Pool;
  readonly #needsNotifications: boolean;
  #started: Promise<unknown> | null = null;

  constructor(boss: PgBoss, pool: Pool, { needsNotifications }: OpenOptions) {
    this.#boss = boss;
    this.#pool = pool;
    this.#needsNotifications = needsNotifications;
  }

  async setUp(): Promise<void> {
    await this.#start();
    await this.#boss.createQueue(QUEUE, this.#needsNotifications ? { notify: true } : {});
  }

  async publish(body: MessageBody): Promise<unknown> {
    await this.#start();
    return await this.#boss.send(QUEUE, body);
  }

  async publishMany(bodies: readonly MessageBody[]): Promise<unknown> {
    await this.#start();
    return await this.#boss.insert(QUEUE, bodies.map((data) => ({ data })));
  }

  async publishInTransaction(body: MessageBody): Promise<unknown> {
    await this.#start();
    return await inTransaction(this.#pool, async (client) => {
      await client.query("insert into business (note) values ($1)", [BUSINESS_NOTE]);
      const db: Executor = { executeSql: (text, values) => client.query(text, values) };
      await this.#boss.send(QUEUE, body, { db });
    });
  }

  async startHandling({ onMessage, writesRow, batched }: HandleOptions): Promise<void> {
    await this.#start();
    const options = {
      batchSize: BATCH,
      localConcurrency: LOOPS,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: 0.5,
    };
    await this.#boss.work(QUEUE, options, async (jobs) => {
      if (writesRow && batched) await writeRowsOnce(this.#pool, jobs);
      else if (writesRow) {
        await Promise.all(jobs.map(({ id, data }) => writeRowOnce(this.#pool, id, data)));
      }
      for (const { data } of jobs) onMessage(data);
    });
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: true });
    await this.#pool.end();
  }

  /** Starts it once. The time is not measured: every worker warms up first. */
  #start(): Promise<unknown> {
    return this.#started ??= this.#boss.start();
  }
}
