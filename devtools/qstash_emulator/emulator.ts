/**
 * An emulator of QStash in this process.
 *
 * @module
 */
import { aFlag, aNumber, checkOptions } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { isCrossSite } from "../../http/cross_site.ts";
import { CostlyBody, readBytes, REQUEST_PACE } from "../../http/read_body.ts";
import { Account } from "./account.ts";
import { matchRoute } from "./api/routes.ts";
import { isVirtual, type VirtualTime } from "./clock.ts";
import { Deduplication } from "./deduplication.ts";
import { DAY_MS } from "./duration.ts";
import { Engine } from "./engine.ts";
import { DEV_KEYS, type QstashEmulatorOptions, type QstashKeys, readOptions } from "./options.ts";
import { OverQuota, rateLimited, type RateLimitKind } from "./quota.ts";
import { INVALID_TOKEN, json, Refusal } from "./refusal.ts";
import { readTarget, TOKEN_PARAMETER } from "./target.ts";

/** The environment variables with QStash's URL, token and signing keys. */
export type QstashEnvironment = Readonly<
  Record<
    "QSTASH_URL" | "QSTASH_TOKEN" | "QSTASH_CURRENT_SIGNING_KEY" | "QSTASH_NEXT_SIGNING_KEY",
    string
  >
>;

/** An emulator of QStash: its API and its deliveries. */
export interface QstashEmulator {
  /** Answers a request to QStash's API. It does not use `this`, so it can be passed as a fetch handler. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** The current signing keys. */
  readonly keys: QstashKeys;
  /**
   * Rotates the keys: the next key becomes the current one, and a new key the next one, as by `POST
   * /v2/keys/rotate`.
   */
  rotateKeys(): QstashKeys;
  /** The environment variables for a program that uses this emulator at a URL. */
  env(url: string): QstashEnvironment;
  /**
   * Makes the deliveries that are due now, and those that follow at once, and resolves when none is running.
   */
  settled(): Promise<void>;
  /** Resolves when no message is left: each is delivered, dead-lettered or cancelled. */
  idle(): Promise<void>;
  /**
   * Advances virtual time and makes the deliveries that become due on the way, each at its time. It waits for
   * running deliveries before it continues. With `wait: false` it only waits until their requests are sent,
   * so that deliveries that never end reach their time limit.
   *
   * @throws {AtlastError} `unsupported` if the clock was not made by {@linkcode virtualClock}.
   */
  advance(ms: number, options?: { readonly wait?: boolean }): Promise<void>;
  /**
   * Advances virtual time until no message is left, and returns the number of milliseconds.
   *
   * @param maxMs The most milliseconds to advance; by default 30 days.
   * @throws {AtlastError} `unsupported` as above; `timeout` if there are messages left at the end.
   */
  drain(maxMs?: number): Promise<number>;
  /** Refuses the next requests to the API with 429: `times` of them, by default one. */
  rateLimit(kind: RateLimitKind, options?: { readonly times?: number }): void;
  /** Ends running deliveries; nothing is delivered after that. */
  close(): Promise<void>;
}

/** The burst limit that answers name; the real one is not documented. */
const BURST_LIMIT = 100;

/**
 * An emulator of QStash for development and tests, built from its documentation and its official client. It
 * keeps everything in memory.
 *
 * @example A test in which no time passes and nothing leaves the process
 * ```ts ignore
 * const clock = virtualClock(Date.now());
 * const qstash = createQstashEmulator({ clock, fetch: (request) => app.fetch(request) });
 * // …publish through a client whose requests go to qstash.fetch…
 * await qstash.advance(12_000); // the time of the first retry
 * ```
 * @throws {AtlastError} `invalid_option`.
 */
export function createQstashEmulator(options: QstashEmulatorOptions = {}): QstashEmulator {
  return new Emulator(options);
}

class Emulator implements QstashEmulator {
  readonly #account: Account;
  readonly #engine: Engine;
  readonly #deduplication: Deduplication;
  readonly #refusals: RateLimitKind[] = [];
  #requests = 0;

  constructor(options: QstashEmulatorOptions) {
    const settings = readOptions(options);
    this.#account = new Account(settings, options.signingKeys ?? DEV_KEYS);
    this.#engine = new Engine(this.#account);
    const { deduplicationWindowMs, deduplicationScope } = settings.assume;
    this.#deduplication = new Deduplication(
      deduplicationWindowMs,
      deduplicationScope,
      () => settings.clock.now(),
    );
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const target = readTarget(request.url);
    const { faults } = this.#account.settings;
    const path = target.destination === null ? target.path : `${target.path}/${target.destination}`;
    const fault = faults.api?.({ method: request.method, path, count: ++this.#requests });
    if (fault?.kind === "request_lost") throw new TypeError("The request was lost");
    if (fault?.kind === "answer") {
      return new Response(fault.body ?? null, {
        status: fault.status,
        headers: { ...fault.headers },
      });
    }
    const response = await this.#answered(request, target);
    if (fault?.kind === "answer_lost") throw new TypeError("The answer was lost");
    return response;
  };

  get keys(): QstashKeys {
    return this.#account.keys;
  }

  rotateKeys(): QstashKeys {
    return this.#account.rotateKeys();
  }

  env(url: string): QstashEnvironment {
    return {
      QSTASH_URL: url,
      QSTASH_TOKEN: this.#account.settings.token,
      QSTASH_CURRENT_SIGNING_KEY: this.keys.current,
      QSTASH_NEXT_SIGNING_KEY: this.keys.next,
    };
  }

  settled(): Promise<void> {
    return this.#engine.settled();
  }

  idle(): Promise<void> {
    return this.#engine.idle();
  }

  async advance(ms: number, options: { readonly wait?: boolean } = {}): Promise<void> {
    checkOptions("advance the time with", options, { wait: aFlag });
    const clock = this.#virtual("advance");
    const wait = options.wait ?? true;
    const untilMs = clock.now() + ms;
    for (;;) {
      await (wait ? this.#engine.settled() : this.#engine.setOut());
      const nextMs = this.#engine.nextAtMs;
      if (nextMs === undefined || nextMs > untilMs) break;
      clock.advance(Math.max(0, nextMs - clock.now()));
    }
    clock.advance(untilMs - clock.now());
    await (wait ? this.#engine.settled() : this.#engine.setOut());
  }

  async drain(maxMs: number = 30 * DAY_MS): Promise<number> {
    const clock = this.#virtual("drain");
    const startMs = clock.now();
    for (;;) {
      await this.#engine.settled();
      const { size } = this.#account.messages;
      if (size === 0) return clock.now() - startMs;
      const nextMs = this.#engine.nextAtMs;
      if (nextMs === undefined || nextMs > startMs + maxMs) {
        throw new AtlastError(
          "timeout",
          `Cannot drain: got ${size} messages left after ${maxMs} ms, want none`,
        );
      }
      clock.advance(Math.max(0, nextMs - clock.now()));
    }
  }

  rateLimit(kind: RateLimitKind, options: { readonly times?: number } = {}): void {
    checkOptions("limit the rate with", options, { times: aNumber({ whole: true, least: 0 }) });
    for (let i = 0; i < (options.times ?? 1); i++) this.#refusals.push(kind);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #answered(request: Request, target: ReturnType<typeof readTarget>): Promise<Response> {
    try {
      return await this.#handled(request, target);
    } catch (error) {
      if (error instanceof OverQuota) return rateLimited("daily", error.limit, error.resetSeconds);
      if (error instanceof CostlyBody) return json({ error: error.message }, 408);
      if (error instanceof Refusal) return json({ error: error.message }, error.status);
      throw error;
    }
  }

  #handled(
    request: Request,
    target: ReturnType<typeof readTarget>,
  ): Response | Promise<Response> {
    const { settings } = this.#account;
    let headerBytes = 0;
    request.headers.forEach((value, name) => headerBytes += name.length + value.length);
    if (headerBytes > settings.assume.maxHeaderBytes) {
      throw new Refusal(431, "request headers too large");
    }
    // Any web page knows the development tokens, and can do harm without reading an answer.
    if (isCrossSite(request.url, request.headers)) {
      throw new Refusal(403, "a page of another site may not use this");
    }
    this.#authenticate(request, target.query);
    const refusal = this.#refusals.shift();
    if (refusal !== undefined) return this.#limited(refusal);
    const { handler, params } = matchRoute(request.method, target);
    const fields = new Map<string, string>();
    for (const [name, value] of target.query) {
      if (name.toLowerCase().startsWith("upstash-")) fields.set(name.toLowerCase(), value);
    }
    request.headers.forEach((value, name) => fields.set(name, value));
    return handler({
      ...target,
      account: this.#account,
      engine: this.#engine,
      method: request.method,
      fields,
      params,
      body: async (maxBytes) => {
        const bytes = await readBytes(request.body, maxBytes, { pace: REQUEST_PACE });
        if (bytes !== null) return bytes;
        throw new Refusal(settings.assume.oversizeStatus, "quota maxMessageSize exceeded");
      },
    }, this.#deduplication);
  }

  #authenticate(request: Request, query: URLSearchParams): void {
    const { token, readOnlyToken } = this.#account.settings;
    const header = request.headers.get("authorization");
    const given = header === null
      ? query.get(TOKEN_PARAMETER)
      : /^Bearer (.+)$/i.exec(header)?.[1] ?? null;
    if (given === token) return;
    if (given === null || given !== readOnlyToken) throw new Refusal(401, INVALID_TOKEN);
    if (request.method !== "GET") throw new Refusal(403, "read only token: want GET");
  }

  #limited(kind: RateLimitKind): Response {
    const { clock, limits } = this.#account.settings;
    const nowMs = clock.now();
    if (kind !== "daily") return rateLimited(kind, BURST_LIMIT, Math.floor(nowMs / 1000) + 1);
    const limit = Number.isFinite(limits.messagesPerDay) ? limits.messagesPerDay : 1000;
    return rateLimited(kind, limit, Math.floor(nowMs / DAY_MS + 1) * DAY_MS / 1000);
  }

  #virtual(what: string): VirtualTime {
    const { clock } = this.#account.settings;
    if (isVirtual(clock)) return clock;
    throw new AtlastError(
      "unsupported",
      `Cannot ${what}: got a real clock, want a virtualClock()`,
    );
  }
}
