/**
 * graphile-worker, with its local queue and batched completion.
 *
 * @module
 */
import { type Body, BUSINESS_NOTE, type OpenOptions, type Session, type Work } from "./subject.ts";
import type { Subject } from "./subject.ts";
import { requirePeer } from "./registry.ts";
import { connected, effectOnce, inTransaction, type Pool } from "./node_postgres.ts";

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
/** Of 500, 1,000 and 2,000 the best for a backlog; its documentation's preset has 500. */
const LOCAL_QUEUE = 2_000;
/** About the number of jobs at once, which its documentation calls a sensible size. */
const SPARSE_LOCAL_QUEUE = 25;
const JOBS_AT_ONCE = 24;

const grown = (columns: string, values: string) =>
  `insert into graphile_worker._private_jobs (task_id, payload, run_at${columns})
   select (select id from graphile_worker._private_tasks where identifier = 'bench'),
     json_build_object('n', 0, 'at', 0, 'text', repeat('x', 150)), ${values}
   from generate_series(1, $1::int) as i`;

export const subject: Subject = {
  name: "graphile-worker",
  store: "postgres",
  packages: ["graphile-worker"],
  settledSql:
    "select not exists (select from graphile_worker._private_jobs where run_at <= now() and attempts < max_attempts) as settled",
  growSql: [
    // Finished jobs are deleted; those that failed for good are what it keeps.
    grown(", attempts, max_attempts", "now(), 25, 25"),
    grown("", "now() + interval '1 year'"),
  ],
  clearSql:
    "delete from graphile_worker._private_jobs where run_at < now() + interval '1 hour' and attempts < max_attempts",
  async open(options) {
    const pool = await connected(options);
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
  readonly #sparse: boolean;
  #runner: Runner | null = null;

  constructor(
    utils: Utils,
    pool: Pool,
    start: (preset: object, taskList: object) => Promise<Runner>,
    { sparse }: OpenOptions,
  ) {
    this.#utils = utils;
    this.#pool = pool;
    this.#start = start;
    this.#sparse = sparse;
  }

  async setUp(): Promise<void> {
    await this.#utils.migrate();
    await this.#pool.query(
      "insert into graphile_worker._private_tasks (identifier) values ('bench') on conflict do nothing",
    );
  }

  publish(body: Body): Promise<unknown> {
    return this.#utils.addJob(TASK, body);
  }

  publishMany(bodies: readonly Body[]): Promise<unknown> {
    return this.#utils.addJobs(bodies.map((payload) => ({ identifier: TASK, payload })));
  }

  /** Its documentation calls the SQL function for this. */
  publishInTransaction(body: Body): Promise<unknown> {
    return inTransaction(this.#pool, async (client) => {
      await client.query("insert into business (note) values ($1)", [BUSINESS_NOTE]);
      await client.query("select graphile_worker.add_job($1, $2::json)", [
        TASK,
        JSON.stringify(body),
      ]);
    });
  }

  async work({ onMessage, effect }: Work): Promise<void> {
    const task = async (payload: unknown, helpers: { job: { id: string } }) => {
      if (effect) await effectOnce(this.#pool, helpers.job.id, payload as Body);
      onMessage(payload as Body);
    };
    this.#runner = await this.#start({
      worker: {
        concurrentJobs: JOBS_AT_ONCE,
        maxPoolSize: JOBS_AT_ONCE + 1,
        localQueue: { size: this.#sparse ? SPARSE_LOCAL_QUEUE : LOCAL_QUEUE },
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
