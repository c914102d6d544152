/**
 * Sends messages to their URLs, several requests at once. Called by `send` of the transport.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import { final, resultsOf, retryable } from "./answer.ts";
import {
  halved,
  pack,
  type Packed,
  type RequestBatch,
  requestBatches,
  type RequestLimits,
} from "./request_batch.ts";
import { parseError } from "../../core/wire/wire.ts";
import { inParallel } from "../../http/request_pool.ts";
import { type Fetch, post, type PostResult } from "../../http/post.ts";
import { destinationOf, type Target } from "./target.ts";

/** An answer has a fixed part, and for each message its id, a status and a reason, escaped. */
const MAX_ANSWER_BYTES = 4 * 1024;
const MAX_RESULT_BYTES = 8 * 1024;

/** How messages are sent. */
export interface Sending {
  readonly limits: RequestLimits;
  readonly timeoutMs: number;
  readonly headers: Headers;
  readonly fetch: Fetch;
  readonly clock: Pick<Clock, "now">;
}

/** The results of the messages, for each target. */
type Outcomes = ReadonlyMap<Target, ReadonlyMap<Message, SendResult>>;

/** Sends every message to its target. Each has a result when this resolves. */
export async function sendAll(
  byTarget: ReadonlyMap<Target, readonly Message[]>,
  signal: AbortSignalLike,
  sending: Sending,
): Promise<Outcomes> {
  const outcomes = new Map<Target, Map<Message, SendResult>>();
  const destinations = [...byTarget].map(([target, messages]) => {
    const results = new Map<Message, SendResult>();
    outcomes.set(target, results);
    const destination = new Destination(target, results, signal, sending);
    return { destination, batches: requestBatches(messages, target, sending.limits) };
  });
  // Targets take turns, so that a slow one, or one with many batches, does not delay the others.
  const rounds = Math.max(0, ...destinations.map(({ batches }) => batches.length));
  const work: (() => Promise<void>)[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { destination, batches } of destinations) {
      const batch = batches[round];
      if (batch !== undefined) work.push(() => destination.send(batch));
    }
  }
  await inParallel(work);
  return outcomes;
}

/** One target, and the results of its messages. */
class Destination {
  readonly #target: Target;
  readonly #host: string;
  readonly #results: Map<Message, SendResult>;
  readonly #signal: AbortSignalLike;
  readonly #sending: Sending;
  #isSilent = false;

  constructor(
    target: Target,
    results: Map<Message, SendResult>,
    signal: AbortSignalLike,
    sending: Sending,
  ) {
    this.#target = target;
    // Not the whole URL: a path or a query may hold a secret.
    this.#host = new URL(target.url).host;
    this.#results = results;
    this.#signal = signal;
    this.#sending = sending;
  }

  async send(batch: RequestBatch): Promise<void> {
    const { limits, clock } = this.#sending;
    const packed = await pack(batch, this.#target.signing?.audience);
    if (packed === null) {
      const problem =
        `Cannot send it in format "message": its content type or text does not fit HTTP`;
      return this.#settle(batch, final(problem, "no"));
    }
    if (packed.body.byteLength > limits.maxRequestBytes) {
      return this.#settle(
        batch,
        final(
          `Cannot send a request of ${packed.body.byteLength} bytes: want ${limits.maxRequestBytes} at most`,
          "no",
        ),
      );
    }
    // Otherwise a silent server would cost a timeout for each batch, and the leases would expire.
    if (this.#isSilent) {
      return this.#settle(
        batch,
        away(
          retryable(`${this.#host} did not answer in time just before`, "no"),
          destinationOf(this.#target),
        ),
      );
    }
    const result = await this.#post(packed, batch.messages.length);
    this.#isSilent ||= result.kind === "timed_out";
    const smaller = result.kind === "answered" && result.status === 413 ? halved(batch) : null;
    if (smaller !== null) {
      await this.send(smaller[0]);
      return this.send(smaller[1]);
    }
    const { answers } = this.#target;
    const results = resultsOf(result, batch.messages, this.#host, clock.now(), answers);
    const destination = isAway(result) ? destinationOf(this.#target) : null;
    batch.messages.forEach((message, i) =>
      this.#results.set(
        message,
        destination === null ? results[i]! : away(results[i]!, destination),
      )
    );
  }

  async #post({ headers, body, requestId }: Packed, count: number) {
    const { fetch, timeoutMs } = this.#sending;
    const { url, signing } = this.#target;
    const signature = await signing?.signer.headersFor(requestId, body) ?? {};
    for (const [name, value] of Object.entries(signature)) headers.set(name, value);
    headers.set("accept", "application/json");
    this.#sending.headers.forEach((value, name) => headers.set(name, value));
    return post({
      fetch,
      url,
      headers,
      body,
      timeoutMs,
      maxResponseBytes: MAX_ANSWER_BYTES + MAX_RESULT_BYTES * count,
      signal: this.#signal,
    });
  }

  #settle(batch: RequestBatch, result: SendResult): void {
    for (const message of batch.messages) this.#results.set(message, result);
  }
}

/** Whether the destination could not be reached: no connection, no answer in time, or one of a proxy. */
function isAway(result: PostResult): boolean {
  if (result.kind === "answered") {
    // An Atlast service that says why it refuses a message was reached.
    const code = parseError(result.text ?? "")?.code ?? "";
    return AWAY_STATUSES.has(result.status) && !REACHED_CODES.has(code);
  }
  return result.kind === "unreachable" || result.kind === "timed_out";
}

/** Bad gateway, service unavailable, gateway timeout. */
const AWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

/** Codes with which a service answers about one message: its handler failed, or wants it later. */
const REACHED_CODES: ReadonlySet<string> = new Set(["refused", "retry_after", "rate_limit"]);

function away(result: SendResult, destination: string): SendResult {
  return result.kind === "failed" && result.retryable
    ? { ...result, unreachable: destination }
    : result;
}
