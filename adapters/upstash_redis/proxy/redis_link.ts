/**
 * The connection to the Redis server: one at a time, several at once as a transaction, and scripts with the
 * calls they made.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Command, Redis } from "ioredis";
import { callsBetween } from "./billed.ts";
import type { Argument, RestCommand } from "./command.ts";
import type { CheckedOptions } from "./options.ts";
import type { Reply } from "./reply.ts";
import { runsScript } from "./script.ts";

/** Why there is no answer; what Redis did with the command is not known then. */
export class NoRedis extends Error {}

/** A reply, and the calls of the script if it was one. */
export interface Ran {
  /** What Redis answered. */
  readonly reply: Reply;
  /** How often the script called each command. */
  readonly calls: ReadonlyMap<string, number>;
}

const NO_CALLS: ReadonlyMap<string, number> = new Map();
/** The server itself counts what scripts call; read before and after one, within a transaction, this is exact. */
const COUNTS: RestCommand = { name: "INFO", args: ["commandstats"] };
const MULTI: RestCommand = { name: "MULTI", args: [] };
const EXEC: RestCommand = { name: "EXEC", args: [] };
/** How long after a lost connection the next is tried. */
const RECONNECT_MS = 50;

/** One connection, made at the first use and again whenever it is lost. */
export class RedisLink {
  readonly #redis: Redis;
  readonly #waitMs: number;
  readonly #countScripts: boolean;

  constructor({ redisUrl, waitMs, countScripts }: CheckedOptions) {
    this.#waitMs = waitMs;
    this.#countScripts = countScripts;
    this.#redis = new Redis(redisUrl, {
      lazyConnect: true,
      protocol: 2,
      stringNumbers: true,
      disableClientInfo: true,
      // A command without an answer must fail rather than run twice.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: () => RECONNECT_MS,
    });
    // Whoever asks next is told; without a listener ioredis would write to the console.
    this.#redis.on("error", () => {});
  }

  /** Runs one command. */
  async run(command: RestCommand): Promise<Ran> {
    await this.#ready();
    if (!this.#isCounted(command)) return { reply: await this.#send(command), calls: NO_CALLS };
    const { own, replies } = await this.#transaction([command]);
    // A script that Redis did not even take has its own error; the transaction's says less.
    return replies === null ? { reply: own[0]!, calls: NO_CALLS } : replies[0]!;
  }

  /** Runs commands as one transaction; a single error when Redis discarded it. */
  async runTogether(commands: readonly RestCommand[]): Promise<readonly Ran[] | Error> {
    await this.#ready();
    const { replies, exec } = await this.#transaction(commands);
    return replies ?? exec as Error;
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    if (this.#redis.status === "wait" || this.#redis.status === "end") {
      return this.#redis.disconnect();
    }
    const ended = new Promise<void>((resolve) => this.#redis.once("end", () => resolve()));
    this.#redis.disconnect();
    await ended;
  }

  /** Sends all at once, so that nothing of another request comes between. */
  async #transaction(commands: readonly RestCommand[]): Promise<{
    own: readonly Reply[];
    replies: readonly Ran[] | null;
    exec: Reply;
  }> {
    const withCounts = commands.flatMap((one) =>
      this.#isCounted(one) ? [COUNTS, one, COUNTS] : [one]
    );
    const answers = [MULTI, ...withCounts, EXEC].map((one) => this.#send(one));
    const [, ...queued] = await Promise.all(answers);
    const exec = queued.pop()!;
    const own = queued.filter((_, at) => withCounts[at] !== COUNTS);
    if (!Array.isArray(exec)) return { own, replies: null, exec };
    const given = [...exec as Reply[]];
    const replies = commands.map((one): Ran => {
      if (!this.#isCounted(one)) return { reply: given.shift()!, calls: NO_CALLS };
      const [before, reply, after] = given.splice(0, 3);
      return { reply: reply!, calls: calls(one, textOf(before), textOf(after)) };
    });
    return { own, replies, exec };
  }

  #isCounted(command: RestCommand): boolean {
    return this.#countScripts && runsScript(command);
  }

  /** What Redis answers, errors among it. */
  async #send(command: RestCommand): Promise<Reply> {
    try {
      const sent = new Command(command.name, command.args.map(toRedis), { replyEncoding: null });
      return await (this.#redis.sendCommand(sent) as Promise<Reply>);
    } catch (error) {
      if (error instanceof Error && error.name === "ReplyError") return error;
      throw new NoRedis("ERR the proxy lost its Redis server", { cause: error });
    }
  }

  /** Waits for a connection, if there is none just now. */
  async #ready(): Promise<void> {
    if (this.#redis.status === "ready") return;
    if (this.#redis.status === "wait") this.#redis.connect().catch(() => {});
    let stop = (): void => {};
    const isReady = await new Promise<boolean>((resolve) => {
      const yes = (): void => resolve(true);
      const no = (): void => resolve(false);
      const timer = setTimeout(no, this.#waitMs);
      this.#redis.once("ready", yes).once("end", no);
      stop = () => {
        clearTimeout(timer);
        this.#redis.off("ready", yes).off("end", no);
      };
    });
    stop();
    if (!isReady) throw new NoRedis("ERR the proxy cannot reach its Redis server");
  }
}

function toRedis(argument: Argument): string | Buffer {
  if (typeof argument === "string") return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}

function textOf(reply: Reply | undefined): string {
  return reply instanceof Uint8Array ? Buffer.from(reply).toString("utf8") : "";
}

/** Without the script itself and the first reading of the counts. */
function calls(script: RestCommand, before: string, after: string): ReadonlyMap<string, number> {
  const counted = callsBetween(before, after);
  for (const own of [script.name, COUNTS.name]) {
    const others = (counted.get(own) ?? 0) - 1;
    if (others > 0) counted.set(own, others);
    else counted.delete(own);
  }
  return counted;
}
