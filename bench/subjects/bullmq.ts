/**
 * BullMQ on Redis, with many concurrent jobs. Finished jobs are removed.
 *
 * @module
 */
import type { MessageBody } from "./message_body.ts";
import type { HandleOptions, OpenOptions, Session, Subject } from "./subject.ts";
import { requirePeer } from "../peers/packages.ts";

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
    work: (job: { data: MessageBody }) => Promise<void>,
    options: object,
  ) => Worker;
}

const QUEUE = "bench";
/** The fastest of 1, 32, 100 and 300. */
const CONCURRENT_JOBS = 300;

export const subject: Subject = {
  name: "bullmq",
  store: "redis",
  allSettledSql: null,
  addGrownSql: [],
  deleteDueSql: null,
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

  /** Deletes what the last measurement left: all of them share one Redis database. */
  async setUp(): Promise<void> {
    await this.#queue.obliterate({ force: true });
  }

  publish(body: MessageBody): Promise<unknown> {
    return this.#queue.add(QUEUE, body);
  }

  publishMany(bodies: readonly MessageBody[]): Promise<unknown> {
    return this.#queue.addBulk(bodies.map((data) => ({ name: QUEUE, data })));
  }

  async startHandling({ onMessage }: HandleOptions): Promise<void> {
    this.#worker = new this.#package.Worker(QUEUE, ({ data }) => {
      onMessage(data);
      return Promise.resolve();
    }, { connection: this.#connection, concurrency: CONCURRENT_JOBS });
    this.#worker.on("completed", () => this.#settled += 1);
    await this.#worker.waitUntilReady();
  }

  settledCount(): number {
    return this.#settled;
  }

  async close(): Promise<void> {
    await this.#worker?.close(true);
    await this.#queue.close();
  }
}
