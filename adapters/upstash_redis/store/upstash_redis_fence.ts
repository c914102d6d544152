/**
 * The fence in Upstash Redis, for half messages whose business data is there.
 *
 * A script decides a half message: the operation's script writes `committed` with the user's own writes, and
 * a check-back's script writes `aborted`. The first one excludes the other. A script is atomic, so a
 * check-back never finds an operation half done: an operation that has not run by then is aborted.
 *
 * @module
 */
import type { CheckAnswer } from "../../../core/lifecycle/check_back.ts";
import { aFunction, checkOptions } from "../../../core/check_options.ts";
import { AtlastError } from "../../../core/errors.ts";
import type { AbortSignalLike, SqlClient } from "../../../core/ports/platform.ts";
import type { CheckQuestion, Fence, FenceOutcome, FenceRow } from "../../../core/ports/fence.ts";
import { compareBytes } from "./byte_order.ts";
import { Client, type UpstashRedisClient } from "./client.ts";
import { isMulti } from "./join.ts";
import { keyBase } from "../prefix.ts";
import { type RedisTransaction, ScriptTransaction } from "./redis_transaction.ts";
import { CHECK_SCRIPT } from "./scripts.ts";
import { REDIS_OPTIONS, type UpstashRedisOptions } from "./options.ts";

/** The options of a fence. */
export interface UpstashRedisFenceOptions extends UpstashRedisOptions {
  /**
   * Unix time in milliseconds. It is stored with a row that a check writes, and has no other use.
   *
   * @default the platform's
   */
  readonly now?: () => number;
}

/**
 * Makes a fence in Upstash Redis. Use the database of the business data, with any prefix. A fence serves one
 * keeper of half messages.
 *
 * @example
 * ```ts
 * import { createBus, defineMessage } from "@atlast/bus";
 * import { httpTransport } from "@atlast/bus/http";
 * import { upstashRedisFence, upstashRedisStore } from "@atlast/bus/upstash-redis";
 * import { Redis } from "@upstash/redis";
 * import * as z from "zod";
 *
 * declare const messages: Redis, business: Redis;
 * const Paid = defineMessage("payment.made", { body: z.object({ order: z.number() }) });
 *
 * const bus = createBus({
 *   store: upstashRedisStore({ redis: messages }),
 *   fence: upstashRedisFence({ redis: business }),
 *   transport: httpTransport({
 *     routes: { "payment.made": "https://orders.example/deliver" },
 *     signingKeys: ["whsec_…"],
 *   }),
 * });
 * await bus.transact(Paid, { order: 7 }, async (tx) => {
 *   tx.call("HSET", "order:7", "paid", "yes");
 * });
 * ```
 * @throws {AtlastError} `invalid_option` when the prefix or the time cannot be one.
 */
export function upstashRedisFence(options: UpstashRedisFenceOptions): Fence<RedisTransaction> {
  checkOptions("make a fence with", options, { ...REDIS_OPTIONS, now: aFunction });
  return new UpstashRedisFence(options);
}

/** How many rows are read at once while skipping those of one time. */
const PAGE = 100;

class UpstashRedisFence implements Fence<RedisTransaction> {
  readonly #redis: UpstashRedisClient;
  readonly #client: Client;
  readonly #base: string;
  readonly #rows: string;
  readonly #now: () => number;

  constructor({ redis, prefix, timeoutMs, now = Date.now }: UpstashRedisFenceOptions) {
    this.#base = `${keyBase(prefix)}fence:`;
    this.#rows = `${this.#base}rows`;
    this.#redis = redis;
    this.#client = new Client(redis, timeoutMs);
    this.#now = now;
  }

  /** There is nothing to create. */
  ready(): Promise<void> {
    return Promise.resolve();
  }

  /** The row is written, or the operation refused, when the transaction commits. */
  // deno-lint-ignore require-await -- so that every refusal is a rejection.
  async commit(id: string, nowMs: number, tx: RedisTransaction | SqlClient): Promise<void> {
    if (!(tx instanceof ScriptTransaction)) throw notJoined(tx);
    tx.mustBeOn(this.#redis);
    tx.fence({ id, row: this.#row(id), set: this.#rows, member: memberOf(id), atMs: nowMs });
  }

  async check({ id }: CheckQuestion, signal: AbortSignalLike): Promise<CheckAnswer> {
    if (signal.aborted) return "unknown";
    const [said] = await this.#client.run(
      CHECK_SCRIPT,
      [this.#row(id), this.#rows],
      [memberOf(id), String(Math.ceil(this.#now()))],
    );
    return said === "*committed" ? "committed" : said === "*aborted" ? "aborted" : "unknown";
  }

  /** `work` queues writes. They are applied, all or none, when `work` resolves. */
  async transaction<Result>(work: (tx: RedisTransaction) => Promise<Result>): Promise<Result> {
    const tx = new ScriptTransaction(this.#redis);
    try {
      const result = await work(tx);
      const { committed } = tx.end ?? await tx.commit();
      if (committed) return result;
    } finally {
      tx.close();
    }
    throw new AtlastError(
      "wrong_state",
      "Cannot count this operation as done: its own script cancelled it",
    );
  }

  async writtenBefore(
    beforeMs: number,
    after: FenceRow | null,
    limit: number,
  ): Promise<FenceRow[]> {
    const found: FenceRow[] = [];
    for (let offset = 0, isMore = true; isMore && found.length < limit; offset += PAGE) {
      const page = await this.#client.plain((redis) =>
        redis.zrange(
          this.#rows,
          after?.writtenAtMs ?? "-inf",
          `(${beforeMs}`,
          {
            byScore: true,
            withScores: true,
            offset,
            count: PAGE,
          },
        )
      );
      for (let i = 0; i + 1 < page.length; i += 2) {
        const row = { id: String(page[i]).slice(1), writtenAtMs: Number(page[i + 1]) };
        if (after === null || isAfter(row, after)) found.push(row);
      }
      isMore = page.length === 2 * PAGE;
    }
    return found.slice(0, limit);
  }

  async outcomes(ids: readonly string[]): Promise<(FenceOutcome | null)[]> {
    if (ids.length === 0) return [];
    const rows = await this.#client.plain((redis) => redis.mget(...ids.map((id) => this.#row(id))));
    return rows.map((row) => {
      const [outcome] = typeof row === "string" ? row.split(" ") : [];
      return outcome === "committed" || outcome === "aborted" ? outcome : null;
    });
  }

  async prune(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    // In this order: a row without its member in the set would never be found again, but a member without a
    // row is removed by the next run.
    await this.#client.plain((redis) => redis.del(...ids.map((id) => this.#row(id))));
    await this.#client.plain((redis) => redis.zrem(this.#rows, ...ids.map(memberOf)));
  }

  #row(id: string): string {
    return `${this.#base}row:${id}`;
  }
}

/** An id as a member of a set, which no client reads as a number. */
function memberOf(id: string): string {
  return `=${id}`;
}

/** By time, then by the bytes of the id. */
function isAfter(row: FenceRow, after: FenceRow): boolean {
  if (row.writtenAtMs !== after.writtenAtMs) return row.writtenAtMs > after.writtenAtMs;
  return compareBytes(row.id, after.id) > 0;
}

function notJoined(tx: unknown): AtlastError {
  return new AtlastError(
    "unsupported",
    isMulti(tx)
      ? "Cannot write a fence in a MULTI: it runs every command whatever the fence says; want a transaction " +
        "of redisTransaction() or of the fence"
      : "Cannot join this transaction: want one of redisTransaction(), or of the fence",
  );
}
