/**
 * graphile-worker, with its local queue and batched completion.
 *
 * @module
 */
import { BUSINESS_NOTE } from "../fixtures/tables.ts";
import type { MessageBody } from "./message_body.ts";
import type { HandleOptions, OpenOptions, Session, Subject } from "./subject.ts";
import { requirePeer } from "../peers/packages.ts";
import { inTransaction, openPool, type Pool, writeRowOnce } from "./node_postgres.ts";

interface Utils {
  migrate(): Promise<void>;
  addJob(name: string, payload: object): Promise<unknown>;
  addJobs(jobs: readonly object[]): Promise<unknown>;
  release(): Promise<void>;
}

interface Runner {
  stop(): Promise<void>;
}

interface Package {
  makeWorkerUtils(options: object): Promise<Utils>;
  run(options: object): Promise<Runner>;
  Logger: new (factory: () => () => void) => unknown;
}

const TASK = "bench";
/** The fastest of 500, 1,000 and 2,000 for a backlog; the preset in its documentation has 500. */
const LOCAL_QUEUE = 2_000;
/** About the number of concurrent jobs, which its documentation calls a sensible size. */
const LOW_RATE_LOCAL_QUEUE = 25;
const CONCURRENT_JOBS = 24;

const insertJobs = (columns: string, values: string) =>
  `insert into graphile_worker._private_jobs (task_id, payload, run_at${columns})
   select (select id from graphile_worker._private_tasks where identifier = 'bench'),
     json_build_object('n', 0, 'at', 0, 'text', repeat('x', 150)), ${values}
   from generate_series(1, $1::int) as i`;

export const subject: Subject = {
  name: "graphile-worker",
  store: "postgres",
  allSettledSql:
    "select not exists (select from graphile_worker._private_jobs where run_at <= now() and attempts < max_attempts) as settled",
  addGrownSql: [
    // It deletes finished jobs and keeps those that failed for good, so failed jobs stand for settled ones.
    insertJobs(", attempts, max_attempts", "now(), 25, 25"),
    insertJobs("", "now() + interval '1 year'"),
  ],
  deleteDueSql:
    "delete from graphile_worker._private_jobs where run_at < now() + interval '1 hour' and attempts < max_attempts",
  async open(options) {
    const pool = await openPool(options);
    const { makeWorkerUtils, run, Logger } = requirePeer<Package>(options.peers, "graphile-worker");
    const logger = new Logger(() => () => {});
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    const start = (preset: object, taskList: object) =>
      run({
        connectionString: options.url,
        logger,
        noHandleSignals: true,
        crontab: "",
        taskList,
        preset,
      });
    return new GraphileSession(utils, pool, start, options);
  },
};

class GraphileSession implements Session {
  readonly #utils: Utils;
  readonly #pool: Pool;
  readonly #start: (preset: object, taskList: object) => Promise<Runner>;
  readonly #lowRate: boolean;
  #runner: Runner | null = null;

  constructor(
    utils: Utils,
    pool: Pool,
    start: (preset: object, taskList: object) => Promise<Runner>,
    { lowRate }: OpenOptions,
  ) {
    this.#utils = utils;
    this.#pool = pool;
    this.#start = start;
    this.#lowRate = lowRate;
  }

  async setUp(): Promise<void> {
    await this.#utils.migrate();
    await this.#pool.query(
      "insert into graphile_worker._private_tasks (identifier) values ('bench') on conflict do nothing",
    );
  }

  publish(body: MessageBody): Promise<unknown> {
    return this.#utils.addJob(TASK, body);
  }

  publishMany(bodies: readonly MessageBody[]): Promise<unknown> {
    return this.#utils.addJobs(bodies.map((payload) => ({ identifier: TASK, payload })));
  }

  /** Calls the SQL function, as its documentation does for this. */
  publishInTransaction(body: MessageBody): Promise<unknown> {
    return inTransaction(this.#pool, async (client) => {
      await client.query("insert into business (note) values ($1)", [BUSINESS_NOTE]);
      await client.query("select graphile_worker.add_job($1, $2::json)", [
        TASK,
        JSON.stringify(body),
      ]);
    });
  }

  async startHandling({ onMessage, writesRow }: HandleOptions): Promise<void> {
    const task = async (payload: unknown, helpers: { job: { id: string } }) => {
      if (writesRow) await writeRowOnce(this.#pool, helpers.job.id, payload as MessageBody);
      onMessage(payload as MessageBody);
    };
    this.#runner = await this.#start({
      worker: {
        concurrentJobs: CONCURRENT_JOBS,
        maxPoolSize: CONCURRENT_JOBS + 1,
        localQueue: { size: this.#lowRate ? LOW_RATE_LOCAL_QUEUE : LOCAL_QUEUE },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    }, { [TASK]: task });
  }

  async close(): Promise<void> {
    await this.#runner?.stop();
    await this.#utils.release();
    await this.#pool.end();
  }
}
