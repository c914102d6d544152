/**
 * The proxy: it reads requests of Upstash's REST protocol, and sends their commands to a Redis server.
 *
 * @module
 */
import { isCrossSite } from "../../http/cross_site.ts";
import { CostlyBody, readBytes, REQUEST_PACE } from "../../http/read_body.ts";
import { type Billed, Counter } from "./billed.ts";
import { type RestCommand, SyntaxProblem } from "./command.ts";
import { Gate } from "./command_filter.ts";
import { type CheckedOptions, checkedOptions, type RedisProxyOptions } from "./options.ts";
import { NoRedis } from "./redis_connection.ts";
import { type Ran, RedisLink } from "./redis_link.ts";
import { errorOf, type Reply } from "./reply.ts";
import { readRestRequest, TOKEN_PARAMETER } from "./rest_request.ts";
import { ChangedScripts, type OnItsWay } from "./script.ts";
import { subscriptionOf, Subscriptions } from "./subscriptions.ts";
import { writingOf } from "./response_encoding.ts";

/** A proxy with Upstash's REST protocol in front of one Redis server. */
export interface RedisProxy {
  /** Answers one request; never rejects. */
  fetch(request: Request): Promise<Response>;
  /** The commands that Upstash would have billed so far. */
  readonly billed: Billed;
  /** Ends the connection to Redis. */
  close(): Promise<void>;
}

/** The sync token of the last write; the client sends it back so that it reads its own writes. */
const SYNC_TOKEN = "upstash-sync-token";
const METHODS = ["GET", "HEAD", "POST", "PUT"];

/** An error answer: its status and its error. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Makes a proxy with Upstash's REST protocol in front of a Redis server, for development and tests. It
 * connects at the first request.
 *
 * It refuses the commands that Upstash refuses, enforces Upstash's limits, and counts the commands that
 * Upstash bills. It cannot change the behaviour of the Redis server: a script that fails keeps its earlier
 * writes.
 *
 * @example
 * ```ts ignore
 * import { createRedisProxy } from "@atlast/bus/upstash-redis/proxy";
 * import { Redis } from "@upstash/redis";
 *
 * const proxy = createRedisProxy({ redisUrl: "redis://127.0.0.1:6379", token: "dev" });
 * Deno.serve({ port: 8079 }, proxy.fetch);
 *
 * const redis = new Redis({ url: "http://127.0.0.1:8079", token: "dev" });
 * await redis.set("greeting", "hello");
 * console.log(proxy.billed.total); // 1
 * ```
 * @throws {AtlastError} `invalid_option`.
 */
export function createRedisProxy(options: RedisProxyOptions): RedisProxy {
  const proxy = new Answerer(checkedOptions(options));
  return {
    fetch: (request) => proxy.answer(request),
    billed: proxy.counter,
    close: () => proxy.close(),
  };
}

/** An answer before it becomes a response. */
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
}

class Answerer {
  readonly counter = new Counter();
  readonly #options: CheckedOptions;
  readonly #link: RedisLink;
  readonly #gate: Gate;
  readonly #subscriptions: Subscriptions;
  readonly #scripts = new ChangedScripts();
  #answers = 0;

  constructor(options: CheckedOptions) {
    this.#options = options;
    this.#link = new RedisLink(options);
    this.#gate = new Gate(options, async (command) => (await this.#link.run(command)).reply);
    this.#subscriptions = new Subscriptions(options);
  }

  async close(): Promise<void> {
    await Promise.all([this.#subscriptions.close(), this.#link.close()]);
  }

  async answer(request: Request): Promise<Response> {
    const { status, type, body } = await this.#answerTo(request).catch(refused);
    this.#answers += 1;
    const headers = { "content-type": type, [SYNC_TOKEN]: `atlast-${this.#answers}` };
    return new Response(request.method === "HEAD" ? null : body, { status, headers });
  }

  async #answerTo(request: Request): Promise<Answer> {
    if (!METHODS.includes(request.method)) throw new Refusal(405, "ERR method is not allowed");
    // Any web page knows the development tokens, and can do harm without reading an answer.
    if (isCrossSite(request.url, request.headers)) {
      throw new Refusal(403, "ERR a page of another site may not use this");
    }
    const isReadOnly = this.#readOnlyOf(request);
    const subscription = subscriptionOf(request);
    if (subscription !== null) {
      this.counter.countRequest();
      this.counter.countCommand(subscription.kind.toUpperCase());
      const body = await this.#subscriptions.open(subscription);
      return { status: 200, type: "text/event-stream", body };
    }
    const body = await readBytes(request.body, this.#options.maxRequestBytes, {
      pace: REQUEST_PACE,
    });
    if (body === null) throw new Refusal(400, "ERR max request size exceeded");
    const { kind, commands } = readRestRequest(request, body);
    const writing = writingOf(
      request.headers,
      kind === "transaction",
      this.#options.plainNestedOk,
    );
    this.counter.countRequest();
    if (kind === "one") {
      const reply = await this.#one(commands[0]!, isReadOnly);
      const status = reply instanceof Error ? 400 : 200;
      return { status, type: writing.type, body: writing.one(reply) };
    }
    const replies = kind === "pipeline"
      ? await this.#pipeline(commands, isReadOnly)
      : await this.#transaction(commands, isReadOnly);
    if (replies instanceof Error) throw new Refusal(400, replies.message);
    return { status: 200, type: writing.type, body: writing.many(replies) };
  }

  async #one(command: RestCommand, isReadOnly: boolean): Promise<Reply> {
    return await (await this.#prepared(command, isReadOnly))();
  }

  async #pipeline(commands: readonly RestCommand[], isReadOnly: boolean): Promise<Reply[]> {
    if (this.#options.interleavePipelines) {
      const replies: Reply[] = [];
      for (const command of commands) replies.push(await this.#one(command, isReadOnly));
      return replies;
    }
    const prepared = [];
    for (const command of commands) prepared.push(await this.#prepared(command, isReadOnly));
    return await Promise.all(prepared.map((run) => run()));
  }

  /** Checks a command, and returns a function that runs it, so that many can go to Redis at once. */
  async #prepared(command: RestCommand, isReadOnly: boolean): Promise<() => Promise<Reply>> {
    const problem = await this.#gate.problemOf(command, isReadOnly);
    if (problem !== null) return () => Promise.resolve(new Error(problem));
    const onItsWay = await this.#scripts.forRedis(command);
    return async () => {
      this.counter.countCommand(command.name);
      const ran = await this.#link.run(onItsWay.command);
      return this.#counted(command, onItsWay, ran);
    };
  }

  async #transaction(
    commands: readonly RestCommand[],
    isReadOnly: boolean,
  ): Promise<Reply[] | Error> {
    for (const command of commands) {
      if (await this.#gate.problemOf(command, isReadOnly) === null) continue;
      return new Error("EXECABORT Transaction discarded because of previous errors.");
    }
    const onTheirWay = await Promise.all(commands.map((one) => this.#scripts.forRedis(one)));
    for (const { name } of commands) this.counter.countCommand(name);
    const ran = await this.#link.runPipeline(onTheirWay.map(({ command }) => command));
    if (ran instanceof Error) return ran;
    return ran.map((one, at) => this.#counted(commands[at]!, onTheirWay[at]!, one));
  }

  #counted(command: RestCommand, { hash }: OnItsWay, ran: Ran): Reply {
    this.counter.countCalls(ran.calls);
    const reply = this.#gate.replyOf(command, ran);
    return hash === undefined || reply instanceof Error ? reply : new TextEncoder().encode(hash);
  }

  /** Whether the token of the request may only read. */
  #readOnlyOf(request: Request): boolean {
    const given = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ??
      new URL(request.url).searchParams.get(TOKEN_PARAMETER);
    if (given === this.#options.token) return false;
    if (given !== null && given === this.#options.readOnlyToken) return true;
    throw new Refusal(401, "WRONGPASS invalid or missing auth token");
  }
}

function refused(error: unknown): Answer {
  const type = "application/json";
  if (error instanceof Refusal) {
    return { status: error.status, type, body: errorOf(error.message) };
  }
  if (error instanceof CostlyBody) return { status: 408, type, body: errorOf(error.message) };
  if (error instanceof SyntaxProblem) return { status: 400, type, body: errorOf(error.message) };
  // It is unknown whether the server ran the command, so this is not an error of the command.
  if (error instanceof NoRedis) return { status: 503, type, body: errorOf(error.message) };
  return { status: 500, type, body: errorOf("ERR the proxy failed") };
}
