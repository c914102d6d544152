/**
 * Runs commands on the Redis server: one at a time, several as a transaction, and scripts with a count of
 * their calls.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Command, type Redis } from "ioredis";
import { callsBetween } from "./billed.ts";
import type { Argument, RestCommand } from "./command.ts";
import { isUnknownCommand, lacksCommand } from "./local_redis.ts";
import type { CheckedOptions } from "./options.ts";
import { connected, disconnected, NoRedis, redisClient } from "./redis_connection.ts";
import type { Reply } from "./reply.ts";
import { runsScript } from "./script.ts";

/** A reply, and the calls of the script if it was one. */
export interface Ran {
  /** The reply of Redis. */
  readonly reply: Reply;
  /** How often the script called each command. */
  readonly calls: ReadonlyMap<string, number>;
}

const NO_CALLS: ReadonlyMap<string, number> = new Map();
/**
 * The server counts the calls of scripts. The counts are read before and after a script, in one transaction
 * with it, so the difference is exact even if others use the server.
 */
const COUNTS: RestCommand = { name: "INFO", args: ["commandstats"] };
const MULTI: RestCommand = { name: "MULTI", args: [] };
const EXEC: RestCommand = { name: "EXEC", args: [] };

/** One connection, made at the first use. */
export class RedisLink {
  readonly #redis: Redis;
  readonly #waitMs: number;
  readonly #countScripts: boolean;
  #connecting: Promise<void> | null = null;

  constructor({ redisUrl, waitMs, countScripts }: CheckedOptions) {
    this.#redis = redisClient(redisUrl);
    this.#waitMs = waitMs;
    this.#countScripts = countScripts;
  }

  /**
   * Runs one command.
   *
   * @throws {NoRedis}
   */
  async run(command: RestCommand): Promise<Ran> {
    await this.#connected();
    if (!this.#isCounted(command)) return { reply: await this.#send(command), calls: NO_CALLS };
    const { own, replies } = await this.#transaction([command]);
    // A script that Redis did not accept has its own error, which is more specific than that of the
    // transaction.
    return replies === null ? { reply: own[0]!, calls: NO_CALLS } : replies[0]!;
  }

  /**
   * Runs commands as one transaction; a single error when Redis discarded it.
   *
   * @throws {NoRedis}
   */
  async runPipeline(commands: readonly RestCommand[]): Promise<readonly Ran[] | Error> {
    await this.#connected();
    const { own, replies, exec } = await this.#transaction(commands);
    if (replies !== null) return replies;
    const unknown = own.findIndex((reply) =>
      reply instanceof Error && isUnknownCommand(reply.message)
    );
    return unknown === -1 ? exec as Error : new Error(lacksCommand(commands[unknown]!.name));
  }

  /** Ends the connection. */
  close(): Promise<void> {
    return disconnected(this.#redis);
  }

  /** Sends all at once, so that no command of another request runs in between. */
  async #transaction(commands: readonly RestCommand[]): Promise<{
    own: readonly Reply[];
    replies: readonly Ran[] | null;
    exec: Reply;
  }> {
    const all = commands.flatMap((one) => this.#isCounted(one) ? [COUNTS, one, COUNTS] : [one]);
    const answers = await Promise.all([MULTI, ...all, EXEC].map((one) => this.#send(one)));
    const exec = answers.at(-1)!;
    const own = answers.slice(1, -1).filter((_, at) => all[at] !== COUNTS);
    if (!Array.isArray(exec)) return { own, replies: null, exec };
    const given: Reply[] = [...exec];
    const replies = commands.map((one): Ran => {
      if (!this.#isCounted(one)) return { reply: given.shift()!, calls: NO_CALLS };
      const [before, reply, after] = given.splice(0, 3);
      return { reply: reply!, calls: callsOf(one, textOf(before), textOf(after)) };
    });
    return { own, replies, exec };
  }

  #isCounted(command: RestCommand): boolean {
    return this.#countScripts && runsScript(command);
  }

  /** The replies of Redis, including errors. */
  async #send(command: RestCommand): Promise<Reply> {
    try {
      const sent = new Command(command.name, command.args.map(toRedis), { replyEncoding: null });
      return await (this.#redis.sendCommand(sent) as Promise<Reply>);
    } catch (error) {
      if (error instanceof Error && error.name === "ReplyError") return error;
      throw new NoRedis("ERR the proxy lost its Redis server", { cause: error });
    }
  }

  /** All concurrent requests share one wait. */
  #connected(): Promise<void> {
    if (this.#redis.status === "ready") return Promise.resolve();
    this.#connecting ??= connected(this.#redis, this.#waitMs).finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }
}

function toRedis(argument: Argument): string | Buffer {
  if (typeof argument === "string") return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}

function textOf(reply: Reply | undefined): string {
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : "";
}

/** Without the script itself and the first reading of the counts. */
function callsOf(script: RestCommand, before: string, after: string): ReadonlyMap<string, number> {
  const calls = callsBetween(before, after);
  for (const own of [script.name, COUNTS.name]) {
    const others = (calls.get(own) ?? 0) - 1;
    if (others > 0) calls.set(own, others);
    else calls.delete(own);
  }
  return calls;
}
