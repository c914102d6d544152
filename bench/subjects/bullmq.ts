/**
 * BullMQ on Redis, with many jobs at once and finished jobs removed.
 *
 * @module
 */
import type { Body, OpenOptions, Session, Work } from "./subject.ts";
import type { Subject } from "./subject.ts";
import { requirePeer } from "./registry.ts";

interface Queue {
  add(name: string, data: object): Promise<unknown>;
  addBulk(jobs: readonly { name: string; data: object }[]): Promise<unknown>;
  obliterate(options: object): Promise<void>;
  close(): Promise<void>;
}

interface Worker {
  waitUntilReady(): Promise<unknown>;
  on(event: string, listener: () => void): void;
  close(force: boolean): Promise<void>;
}

interface Package {
  Queue: new (name: string, options: object) => Queue;
  Worker: new (
    name: string,
    work: (job: { data: Body }) => Promise<void>,
    options: object,
  ) => Worker;
}

const QUEUE = "bench";
/** Of 1, 32, 100 and 300 the best. */
const JOBS_AT_ONCE = 300;

export const subject: Subject = {
  name: "bullmq",
  store: "redis",
  packages: ["bullmq"],
  settledSql: null,
  growSql: [],
  clearSql: null,
  open: (options) => Promise.resolve(new BullSession(options)),
};

class BullSession implements Session {
  readonly #package: Package;
  readonly #connection: object;
  readonly #queue: Queue;
  #worker: Worker | null = null;
  #settled = 0;

  constructor({ peers, redisPort }: OpenOptions) {
    this.#package = requirePeer<Package>(peers, "bullmq");
    this.#connection = { host: "127.0.0.1", port: redisPort, maxRetriesPerRequest: null };
    this.#queue = new this.#package.Queue(QUEUE, {
      connection: this.#connection,
      defaultJobOptions: { removeOnComplete: true },
    });
  }

  /** Redis has no database for each measurement, so what the last one left is deleted. */
  async setUp(): Promise<void> {
    await this.#queue.obliterate({ force: true });
  }

  publish(body: Body): Promise<unknown> {
    return this.#queue.add(QUEUE, body);
  }

  publishMany(bodies: readonly Body[]): Promise<unknown> {
    return this.#queue.addBulk(bodies.map((data) => ({ name: QUEUE, data })));
  }

  async work({ onMessage }: Work): Promise<void> {
    this.#worker = new this.#package.Worker(QUEUE, ({ data }) => {
      onMessage(data);
      return Promise.resolve();
    }, { connection: this.#connection, concurrency: JOBS_AT_ONCE });
    this.#worker.on("completed", () => this.#settled += 1);
    await this.#worker.waitUntilReady();
  }

  settled(): number {
    return this.#settled;
  }

  async close(): Promise<void> {
    await this.#worker?.close(true);
    await this.#queue.close();
  }
}
