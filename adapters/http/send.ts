/**
 * Sends messages to their URLs, several requests at once.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import { type AnswerForm, final, resultsOf, retryable } from "./answer.ts";
import {
  halves,
  type HttpFormat,
  pack,
  type Parcel,
  type ParcelLimits,
  parcelsOf,
} from "./parcel.ts";
import { inParallel } from "../../http/request_pool.ts";
import { type Fetch, post } from "../../http/post.ts";
import type { Target } from "./target.ts";

/** An answer has a fixed part, and for each message its id, a status and a reason, escaped. */
const MAX_ANSWER_BYTES = 4 * 1024;
const MAX_RESULT_BYTES = 8 * 1024;

/** How messages are sent. */
export interface Sending {
  readonly format: HttpFormat;
  readonly answers: AnswerForm;
  readonly limits: ParcelLimits;
  readonly timeoutMs: number;
  readonly headers: Headers;
  readonly fetch: Fetch;
  readonly clock: Pick<Clock, "now">;
}

/** What became of the messages, for each target. */
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
    return { destination, parcels: parcelsOf(messages, sending.format, sending.limits) };
  });
  // In turns, so that a target with many parcels, or a slow one, does not keep the others back.
  const rounds = Math.max(0, ...destinations.map(({ parcels }) => parcels.length));
  const work: (() => Promise<void>)[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { destination, parcels } of destinations) {
      const parcel = parcels[round];
      if (parcel !== undefined) work.push(() => destination.send(parcel));
    }
  }
  await inParallel(work);
  return outcomes;
}

/** One target, and what became of the messages for it. */
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

  async send(parcel: Parcel): Promise<void> {
    const { limits, clock } = this.#sending;
    const packed = await pack(parcel, this.#target.signing?.audience ?? "");
    if (packed.body.byteLength > limits.maxRequestBytes) {
      return this.#settle(
        parcel,
        final(
          `Cannot send a request of ${packed.body.byteLength} bytes: want ${limits.maxRequestBytes} at most`,
          "no",
        ),
      );
    }
    // Else a silent server would cost a timeout for each parcel, and the leases would run out.
    if (this.#isSilent) {
      return this.#settle(
        parcel,
        retryable(`${this.#host} did not answer in time just before`, "no"),
      );
    }
    const result = await this.#post(packed, parcel.messages.length);
    this.#isSilent ||= result.kind === "timed_out";
    const smaller = result.kind === "answered" && result.status === 413 ? halves(parcel) : null;
    if (smaller !== null) {
      await this.send(smaller[0]);
      return this.send(smaller[1]);
    }
    const { answers } = this.#sending;
    const results = resultsOf(result, parcel.messages, this.#host, clock.now(), answers);
    parcel.messages.forEach((message, i) => this.#results.set(message, results[i]!));
  }

  async #post({ headers, body, requestId }: Awaited<ReturnType<typeof pack>>, count: number) {
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

  #settle(parcel: Parcel, result: SendResult): void {
    for (const message of parcel.messages) this.#results.set(message, result);
  }
}
