/**
 * A subscriber without a store: it handles a message within its delivery, or not at all, and whoever
 * delivers comes again. Messages are handled at least once: a delivery whose answer was lost is handled
 * again, because nothing here remembers the first time.
 *
 * @module
 */
import { AtlastError, NonRetryable } from "../errors.ts";
import { HEADER } from "../headers.ts";
import type { Message } from "../message.ts";
import { failureOf } from "../outcome.ts";
import type { Clock, DeliveryResult, Receiver, Transport } from "../ports.ts";
import { resultOfFailure } from "../redelivery.ts";
import { isInstance } from "../thrown.ts";
import { checkRetryPolicy, DEFAULT_RETRY, maxAttempts, type RetryPolicy } from "../retry.ts";
import { failureMessage, replyMessage, requestedCallback } from "./callback.ts";
import { decodeBody } from "./codec.ts";
import { DirectPublisher } from "./direct_publisher.ts";
import { Handling } from "./handling.ts";
import { Limiter } from "./limiter.ts";
import { type ConsumeMiddleware, wrapHandler } from "./middleware.ts";
import { guardedClock, guardedRandom } from "./guarded_clock.ts";
import { guarded, type Observer } from "./observer.ts";
import { type Subscriber, Subscriptions } from "./subscriber.ts";
import { timeLimit } from "./time_limit.ts";

/** What a subscriber without a store is made of. Times are in milliseconds. */
export interface StatelessOptions {
  /**
   * What carries callbacks and whatever handlers publish, within the delivery. Without it no handler may
   * publish, and a message that wants a callback is refused for good before it is handled.
   */
  readonly transport?: Transport;
  /**
   * When failed messages are to be delivered again; CAP's schedule if not given. It holds where whoever
   * delivers counts its attempts, as QStash does, and should ask for no more of them than that is set to.
   */
  readonly retry?: RetryPolicy;
  /** How long a handler may take; 30,000 if not given. */
  readonly handlerTimeoutMs?: number;
  /** How many messages of one group in one delivery are handled at once; 5 if not given. */
  readonly concurrency?: number;
  /** Wraps every handler, the first one outermost. */
  readonly onConsume?: readonly ConsumeMiddleware<undefined>[];
  /** Is told what happens. */
  readonly observe?: Observer;
  /** Where the time comes from; the platform's if not given. */
  readonly clock?: Clock;
  /** Where chance comes from, as numbers in [0, 1); the platform's if not given. It decides jitter alone. */
  readonly random?: () => number;
}

/** Handles what is delivered, and keeps nothing. */
export class StatelessReceiver {
  readonly #subscriptions = new Subscriptions<undefined>();
  readonly #retry: RetryPolicy;
  readonly #timeoutMs: number;
  readonly #concurrency: number;
  readonly #onConsume: readonly ConsumeMiddleware<undefined>[];
  readonly #observe: Observer;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #publisher: DirectPublisher;

  /**
   * Makes a receiver.
   *
   * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
   */
  constructor(subscribers: readonly Subscriber<undefined>[], options: StatelessOptions) {
    for (const subscriber of subscribers) this.#subscriptions.add(subscriber);
    this.#retry = options.retry ?? DEFAULT_RETRY;
    checkRetryPolicy(this.#retry);
    this.#timeoutMs = above0("handlerTimeoutMs", options.handlerTimeoutMs ?? 30_000);
    this.#concurrency = above0("concurrency", options.concurrency ?? 5);
    this.#onConsume = options.onConsume ?? [];
    this.#observe = guarded(options.observe);
    const report = (error: unknown) =>
      this.#observe({ kind: "error", during: "clock or random", error });
    this.#clock = guardedClock(options.clock, report);
    this.#publisher = new DirectPublisher(options.transport, this.#clock);
    this.#random = guardedRandom(options.random, report);
  }

  /**
   * The receiver of one delivery.
   *
   * @param attempt Which one it is, from 1 on; null where whoever delivers keeps the schedule.
   */
  during(attempt: number | null): Receiver {
    // Of this delivery alone: on Workers no request may wait for another.
    const limiter = new Limiter(() => this.#concurrency);
    return {
      subscribes: (name) => this.#subscriptions.of(name).size > 0,
      deliver: (messages) =>
        Promise.all(messages.map((message) => this.#deliver(message, attempt, limiter))),
    };
  }

  async #deliver(
    message: Message,
    attempt: number | null,
    limiter: Limiter,
  ): Promise<DeliveryResult> {
    const subscribers = [...this.#subscriptions.of(message.name).values()];
    const results = await Promise.all(subscribers.map(async (subscriber) => {
      const leave = await limiter.enter(subscriber.group);
      try {
        return await this.#handle(subscriber, message, attempt);
      } finally {
        leave();
      }
    }));
    return combined(results);
  }

  async #handle(
    subscriber: Subscriber<undefined>,
    message: Message,
    attempt: number | null,
  ): Promise<DeliveryResult> {
    const about = {
      box: "inbox",
      id: message.id,
      name: message.name,
      group: subscriber.group,
    } as const;
    this.#observe({
      kind: attempt === null || attempt === 1 ? "received" : "redelivered",
      ...about,
    });
    try {
      await this.#attempt(subscriber, message, attempt);
      this.#observe({ kind: "succeeded", ...about, attempts: attempt ?? 1 });
      return { kind: "handled", duplicate: false, reply: null };
    } catch (thrown) {
      const failure = failureOf(thrown);
      const policy = subscriber.retry ?? this.#retry;
      const result: DeliveryResult & { kind: "refused" | "rejected" } = {
        ...resultOfFailure(failure, policy, attempt, this.#random()),
        // A handler that ran out of its time may still be at work.
        ...(isTimeout(thrown) ? { arrived: "unknown" } : {}),
      };
      const told = { ...about, attempts: attempt ?? 1, reason: failure.reason };
      if (result.kind === "refused") {
        const dueAtMs = this.#clock.now() + (result.retryAfterMs ?? 0);
        this.#observe({ kind: "retrying", ...told, dueAtMs });
        return result;
      }
      this.#observe({ kind: "failed", ...told });
      // Whoever keeps the schedule learns of the failure from the answer, and tells the publisher itself. That
      // the attempts are used up is only said by whoever delivers, and signed by nobody: with a made-up count
      // anyone could have the publisher told of a failure.
      const isUsedUp = failure.retryable || (attempt ?? 0) > maxAttempts(policy);
      if (attempt === null || isUsedUp) return result;
      return await this.#reported(message, told) ? { ...result, isTold: true } : UNREPORTED;
    }
  }

  /** Runs the handler within its time, and sends its reply. */
  async #attempt(
    subscriber: Subscriber<undefined>,
    message: Message,
    attempt: number | null,
  ): Promise<void> {
    const { group, timeoutMs = this.#timeoutMs } = subscriber;
    if ((attempt ?? 0) > maxAttempts(subscriber.retry ?? this.#retry)) {
      throw new NonRetryable("The attempts were used up before this one");
    }
    if (!this.#publisher.canSend && requestedCallback(message) !== null) {
      throw new NonRetryable(
        `Cannot send the callback "${requestedCallback(message)}": want a transport in the options`,
      );
    }
    const limit = timeLimit(
      this.#clock,
      timeoutMs,
      new AbortController().signal,
      () => new AtlastError("timeout", `The handler did not finish within ${timeoutMs} ms`),
    );
    try {
      const reply = await limit.race(async () => {
        const body = await decodeBody(subscriber.body, message);
        const attempts = (attempt ?? 1) - 1;
        const inHand = { message, group, attempts };
        const handling = new Handling(inHand, undefined, limit.signal, this.#publisher);
        const handle = wrapHandler(
          this.#onConsume,
          handling,
          async (value) => await subscriber.handle(value, handling),
        );
        let value: unknown;
        try {
          value = await handle(body);
          await handling.finished();
        } finally {
          handling.close();
        }
        return await replyMessage(
          message,
          group,
          subscriber.reply,
          value,
          handling.choices,
          this.#clock.now(),
          this.#publisher.maxBodyBytes,
        );
      });
      if (reply !== null) await this.#publisher.send(reply);
    } finally {
      limit.end();
    }
  }

  /** Tells the publisher of a failure for good; false when that could not be done now. */
  async #reported(
    request: Message,
    { group, attempts, reason }: { group: string; attempts: number; reason: string },
  ): Promise<boolean> {
    const { id: messageId, name } = request;
    const report = { messageId, name, group, reason, attempts };
    const word = await failureMessage(request, report, this.#clock.now());
    if (word === null) return true;
    try {
      await this.#publisher.send(word);
      return true;
    } catch (error) {
      this.#observe({ kind: "error", during: "failure callback", error });
      return false;
    }
  }
}

/** The failure stands, but whoever asked to learn of it has not. */
const UNREPORTED: DeliveryResult = {
  kind: "refused",
  reason: `The message of header "${HEADER.failureCallbackName}" could not be sent`,
};

/** What all groups together make of a delivery: the one that wants it again comes first. */
function combined(results: readonly DeliveryResult[]): DeliveryResult {
  const refused = results.filter((result) => result.kind === "refused");
  const [soonest] = refused.sort((a, b) => (a.retryAfterMs ?? 0) - (b.retryAfterMs ?? 0));
  const undone = soonest ?? results.find((result) => result.kind === "rejected");
  if (undone === undefined) return results[0] ?? { kind: "no_subscriber" };
  return results.some(mayHaveEffect) ? { ...undone, arrived: "unknown" } : undone;
}

/** Whether a handler did its work, or may have. */
function mayHaveEffect(result: DeliveryResult): boolean {
  if (result.kind === "handled") return true;
  return (result.kind === "refused" || result.kind === "rejected") && result.arrived === "unknown";
}

function isTimeout(thrown: unknown): boolean {
  return isInstance(thrown, AtlastError) && thrown.code === "timeout";
}

function above0(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new AtlastError("invalid_option", `Cannot use ${option} ${value}: want more than zero`);
}
