/**
 * Joins the user's own Redis writes: a transaction of ours, or a MULTI of the official client.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import type { UpstashRedisClient } from "./client.ts";
import { WRITE_IN_MULTI } from "./lua/transaction.ts";
import { type RedisTransaction, ScriptTransaction } from "./redis_transaction.ts";
import { newToken } from "./token.ts";
import { type Addition, type Keys, writeCall } from "./writes.ts";

/** A MULTI of the official client, as `redis.multi()` makes it, before its `exec()`. */
export interface RedisMulti {
  /** Queues a script. */
  eval(script: string, keys: string[], args: string[]): unknown;
  /** Runs what is queued. */
  exec(): Promise<unknown>;
}

/** The transactions that a message can join. */
export type UpstashRedisTransaction = RedisTransaction | RedisMulti;

/**
 * Queues additions in a transaction that the user will commit. If the same message has the key by then,
 * nothing is written. If another message has it, the commit fails.
 *
 * @throws {AtlastError} `unsupported` when it cannot be joined.
 */
export function joinAdditions(
  tx: unknown,
  redis: UpstashRedisClient,
  base: string,
  keys: Keys,
  additions: readonly Addition[],
  nowMs: number,
): void {
  if (tx instanceof ScriptTransaction) {
    tx.mustBeOn(redis);
    return tx.add(base, keys, additions, nowMs);
  }
  if (!isMulti(tx) || clientOf(tx) !== clientOf(redis)) {
    throw new AtlastError(
      "unsupported",
      "Cannot join this transaction: want one of redisTransaction(), or a redis.multi(), of the client that " +
        "the store was made with; a pipeline is not atomic",
    );
  }
  const none = { box: "outbox", list: [] } as const;
  const call = writeCall(keys, "same", none, additions, nowMs, newToken());
  // By its source: within a MULTI the client cannot react to an unknown digest.
  tx.eval(WRITE_IN_MULTI, call.keys, [base, ...call.args]);
}

/** Whether it is a MULTI of the official client, whose pipelines are of the same class. */
export function isMulti(tx: unknown): tx is RedisMulti {
  if (typeof tx !== "object" || tx === null) return false;
  const { eval: run, exec, multiExec } = tx as Record<string, unknown>;
  return typeof run === "function" && typeof exec === "function" && multiExec === true;
}

/** The object that sends the requests of a client and its MULTIs; undefined if the client does not expose it. */
function clientOf(of: object): unknown {
  return (of as { client?: unknown }).client;
}
