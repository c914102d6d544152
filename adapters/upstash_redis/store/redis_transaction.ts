/**
 * Transactions in Redis: the user's own writes, messages and fences in one script.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import { Client, Script, type UpstashRedisClient } from "./client.ts";
import { keyOfMember } from "./keys.ts";
import { transactionLua } from "./lua/transaction.ts";
import { newToken } from "./token.ts";
import { type Addition, type Keys, writeCall } from "./writes.ts";

/** The user's own part of a transaction, as Lua. */
export interface OwnScript {
  /**
   * The body of a function of `KEYS`, `ARGV` and `cancel`. It must read and check before it writes, because
   * Redis does not roll back: earlier writes stay if it fails later. `return cancel(value)` before any write
   * ends the transaction without messages, fences and queued commands.
   */
  readonly script: string;
  /** Its keys. */
  readonly keys?: readonly string[];
  /** Its arguments. */
  readonly args?: readonly (string | number)[];
}

/** How a transaction ended. */
export interface RedisTransactionEnd {
  /** Whether it committed; false when its own script cancelled it. */
  readonly committed: boolean;
  /**
   * The result of its own script; null when it returned nothing, or when the first answer was lost and the
   * request was sent again.
   */
  readonly result: unknown;
}

/**
 * Writes that are applied together, in one script: the messages published with it, the fences of half
 * messages, and the user's own commands or script. Nothing is written before it commits.
 */
export interface RedisTransaction {
  /** Queues a command of Redis, which runs when the transaction commits. Its reply is not returned. */
  call(command: string, ...args: (string | number)[]): void;
  /**
   * Runs everything, once.
   *
   * @throws {AtlastError} `fenced_off` when a half message was cancelled or has committed before, `id_conflict`
   * when another message has an id: then nothing was written. `transaction_ended` when it has run already.
   */
  commit(own?: OwnScript): Promise<RedisTransactionEnd>;
}

/**
 * Begins a transaction.
 *
 * @example
 * ```ts
 * import { Redis } from "@upstash/redis";
 * import { redisTransaction } from "@atlast/bus/upstash-redis";
 * import { type Bus, type Contract } from "@atlast/bus";
 *
 * declare const redis: Redis, bus: Bus, OrderPlaced: Contract;
 *
 * const tx = redisTransaction(redis);
 * await bus.publish(OrderPlaced, { orderId: 7 }, { tx });
 * const { committed } = await tx.commit({
 *   script: `
 *     if tonumber(redis.call("GET", KEYS[1]) or "0") < tonumber(ARGV[1]) then return cancel("sold out") end
 *     redis.call("DECRBY", KEYS[1], ARGV[1])`,
 *   keys: ["stock:apples"],
 *   args: [3],
 * });
 * ```
 */
export function redisTransaction(redis: UpstashRedisClient): RedisTransaction {
  return new ScriptTransaction(redis);
}

/** A row of a fence that a transaction will write. */
interface FenceWrite {
  readonly id: string;
  /** The keys of the row and of the set of all rows. */
  readonly row: string;
  readonly set: string;
  readonly member: string;
  readonly atMs: number;
}

/** A transaction until it commits. */
export class ScriptTransaction implements RedisTransaction {
  readonly #client: Client;
  readonly #token = newToken();
  readonly #commands: string[][] = [];
  readonly #fences: FenceWrite[] = [];
  readonly #additions: Addition[] = [];
  #store: { readonly base: string; readonly keys: Keys; readonly nowMs: number } | null = null;
  #end: RedisTransactionEnd | "open" | "running" = "open";

  constructor(redis: UpstashRedisClient) {
    this.#client = new Client(redis);
  }

  /** How it ended; null before it has. */
  get end(): RedisTransactionEnd | null {
    return typeof this.#end === "string" ? null : this.#end;
  }

  /**
   * Refuses a store or fence that was made with another client: it may be another database.
   *
   * @throws {AtlastError} `unsupported`.
   */
  mustBeOn(redis: UpstashRedisClient): void {
    if (redis === this.#client.redis) return;
    throw new AtlastError(
      "unsupported",
      "Cannot join a transaction on another client: want one of redisTransaction() with the client that " +
        "store and fence were made with",
    );
  }

  /** Ends it if it has not run. */
  close(): void {
    if (this.#end === "open") this.#end = "running";
  }

  call(command: string, ...args: (string | number)[]): void {
    this.#mustBeOpen();
    this.#commands.push([command, ...args.map(String)]);
  }

  /** Queues additions to a store. */
  add(base: string, keys: Keys, additions: readonly Addition[], nowMs: number): void {
    this.#mustBeOpen();
    if (this.#store !== null && this.#store.base !== base) {
      throw new AtlastError(
        "unsupported",
        "Cannot add to two stores in one transaction of Redis: want one store, or one prefix",
      );
    }
    this.#store = { base, keys, nowMs };
    this.#additions.push(...additions);
  }

  /** Queues a row of a fence. */
  fence(row: FenceWrite): void {
    this.#mustBeOpen();
    if (this.#fences.some(({ row: other }) => other === row.row)) throw fencedOff(row.id, "open");
    this.#fences.push(row);
  }

  async commit(own: OwnScript = { script: "" }): Promise<RedisTransactionEnd> {
    this.#mustBeOpen();
    this.#end = "running";
    const { keys = [], args = [], script } = own;
    const write = this.#writeCall();
    const [said, first, second] = await this.#client.run(
      new Script(transactionLua(script)),
      [...keys, ...this.#fences.flatMap(({ row, set }) => [row, set]), ...write.keys],
      [
        this.#store?.base ?? "",
        ...[keys.length, args.length, this.#fences.length, this.#commands.length].map(String),
        ...args.map(String),
        ...this.#fences.flatMap(({ row, set, member, atMs }) => [
          row,
          set,
          member,
          String(Math.ceil(atMs)),
          this.#token,
        ]),
        ...this.#commands.flatMap((fields) => [String(fields.length), ...fields]),
        ...write.args,
      ],
    );
    if (said === "*fenced") throw fencedOff(idOf(first), String(second));
    if (said === "*taken") throw taken(String(first));
    const result = said === "*again" ? null : first ?? null;
    return this.#end = { committed: said !== "*cancelled", result };
  }

  #writeCall(): { keys: string[]; args: string[] } {
    if (this.#store === null) return { keys: [], args: ["same", "0"] };
    const { keys, nowMs } = this.#store;
    const none = { box: "outbox", list: [] } as const;
    return writeCall(keys, "same", none, this.#additions, nowMs, this.#token);
  }

  #mustBeOpen(): void {
    if (this.#end === "open") return;
    throw new AtlastError(
      "transaction_ended",
      "Cannot use a transaction of Redis: got one that has run, want one before its commit",
    );
  }
}

/** Why the fence refuses an operation. */
function fencedOff(id: string, row: string): AtlastError {
  const why = row.startsWith("aborted")
    ? ": the message was cancelled meanwhile"
    : row === "open"
    ? " twice in one transaction"
    : " again: it has committed before";
  return new AtlastError("fenced_off", `Cannot run the operation of half message "${id}"${why}`);
}

function taken(member: string): AtlastError {
  const { id } = keyOfMember(member);
  return new AtlastError(
    "id_conflict",
    `Cannot commit the addition of message ${JSON.stringify(id)}: ` +
      "got a message with another name or body that has its id, want an id that is free",
  );
}

function idOf(member: unknown): string {
  return String(member).slice(1);
}
