/**
 * Receives messages without a store. A message is handled within its delivery; if that fails, the
 * sender delivers it again. Messages are handled at least once, because a delivery whose answer was
 * lost is not remembered.
 *
 * @module
 */
import { aList, aNumber, type OptionCheck, withMethods } from "../../core/check_options.ts";
import { AtlastError, NonRetryable } from "../../core/errors.ts";
import { eventBeforeAttempt } from "../../core/lifecycle/before_attempt.ts";
import { deadlineReason } from "../../core/lifecycle/deadline_reason.ts";
import type { Failure } from "../../core/lifecycle/lifecycle.ts";
import { CLOCK_TOLERANCE_MS, deadlineOnArrival } from "../../core/message/deadline.ts";
import type { FailureCode } from "../../core/lifecycle/failure_code.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { Message } from "../../core/message/message.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { DeliveryResult, Receiver } from "../../core/ports/transport.ts";
import { resultOfFailure } from "../../core/wire/redelivery.ts";
import { DEFAULT_RETRY, maxAttempts, type RetryPolicy } from "../../core/lifecycle/retry.ts";
import { admitting } from "./admission.ts";
import {
  failureMessage,
  requestedCallback,
  wantsFailureCallback,
} from "../publish/callback_message.ts";
import {
  attempt,
  type HandlerHost,
  type HandlerResult,
  type HandlerRun,
  runHandler,
} from "./run_handler.ts";
import { DirectPublisher } from "./direct_publisher.ts";
import { type FailureDetail, reportedReason } from "../api/failure_report.ts";
import { KeyedSemaphore } from "../async/keyed_semaphore.ts";
import { COMMON_OPTIONS, DEFAULT_HANDLER_TIMEOUT_MS } from "../settings/common_options.ts";
import { guardedClock, guardedRandom } from "../settings/guarded_clock.ts";
import type { Observer } from "../api/observer.ts";
import type { StatelessOptions } from "../api/stateless_options.ts";
import { observerOf } from "../settings/failure_log.ts";
import { type Redact, redacting } from "../settings/redact.ts";
import { aSubscriber, type Subscriber } from "../api/subscriber.ts";
import { Subscriptions } from "../settings/subscriptions.ts";
import type { TimeLimit } from "../async/deadline.ts";

/** The checks of its options. */
export const STATELESS_OPTIONS: Readonly<Record<keyof StatelessOptions, OptionCheck>> = {
  ...COMMON_OPTIONS,
  transport: withMethods("send", "routes"),
  concurrency: aNumber(),
};

/** Handles deliveries and stores nothing. */
export class StatelessReceiver {
  readonly #subscriptions = new Subscriptions<undefined>();
  readonly #retry: RetryPolicy;
  readonly #concurrency: number;
  readonly #clockToleranceMs: number;
  readonly #observe: Observer;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #publisher: DirectPublisher;
  readonly #service: string;
  readonly #callbackNames: readonly string[] | null;
  readonly #failureDetail: FailureDetail;
  readonly #redact: Redact | null;
  readonly #host: HandlerHost<undefined>;

  /**
   * Creates a receiver. The caller has checked the options with {@linkcode STATELESS_OPTIONS}.
   *
   * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
   */
  constructor(subscribers: readonly Subscriber<undefined>[], options: StatelessOptions) {
    aList(aSubscriber)("subscribers", subscribers, "make a stateless receiver with");
    for (const subscriber of subscribers) this.#subscriptions.add(subscriber);
    this.#retry = options.retry ?? DEFAULT_RETRY;
    this.#clockToleranceMs = options.clockToleranceMs ?? CLOCK_TOLERANCE_MS;
    this.#concurrency = options.concurrency ?? 5;
    const service = serviceOf(options);
    this.#service = service;
    this.#callbackNames = options.callbackNames ?? null;
    this.#failureDetail = options.failureDetail ?? "class";
    this.#redact = options.redact === undefined ? null : redacting(options.redact);
    this.#observe = observerOf(options, this.#redact);
    const report = (error: unknown) =>
      this.#observe({ kind: "error", during: "clock or random", error });
    this.#clock = guardedClock(options.clock, report);
    this.#publisher = new DirectPublisher(options.transport, this.#clock);
    this.#random = guardedRandom(options.random, report);
    this.#host = {
      clock: this.#clock,
      onConsume: options.onConsume ?? [],
      handlerTimeoutMs: options.handlerTimeoutMs ?? DEFAULT_HANDLER_TIMEOUT_MS,
      maxBodyBytes: this.#publisher.maxBodyBytes,
      publisher: this.#publisher,
      responder: () => Promise.resolve(service),
      check: (run) => this.#check(run),
      complete: (run, body, limit) => this.#complete(run, body, limit),
    };
  }

  /**
   * Returns the receiver of one delivery.
   *
   * @param attempt The number of the attempt, from 1 on; null if the sender keeps the retry
   * schedule.
   */
  during(attempt: number | null): Receiver {
    // One semaphore per delivery: on Cloudflare Workers a request must not wait for another.
    const semaphore = new KeyedSemaphore(() => this.#concurrency);
    return {
      subscribes: (name) => this.#subscriptions.of(name).size > 0,
      deliver: (messages, options = {}) => {
        const parts = { callbackNames: this.#callbackNames, observe: this.#observe };
        return admitting(
          parts,
          messages,
          options,
          (admitted) =>
            Promise.all(admitted.map((message) => this.#deliver(message, attempt, semaphore))),
        );
      },
    };
  }

  async #deliver(
    message: Message,
    attempt: number | null,
    semaphore: KeyedSemaphore,
  ): Promise<DeliveryResult> {
    const subscribers = [...this.#subscriptions.of(message.name).values()];
    const results = await Promise.all(subscribers.map(async (subscriber) => {
      const permit = await semaphore.enter(subscriber.group);
      try {
        return await this.#handle(subscriber, message, attempt);
      } finally {
        permit.leave();
      }
    }));
    return combined(results);
  }

  async #handle(
    subscriber: Subscriber<undefined>,
    message: Message,
    nth: number | null,
  ): Promise<DeliveryResult> {
    const { id, name } = message;
    const about = { box: "inbox", id, name, group: subscriber.group } as const;
    this.#observe({
      kind: nth === null || nth === 1 ? "received" : "redelivered",
      ...about,
    });
    const record = {
      message,
      group: subscriber.group,
      attempts: (nth ?? 1) - 1,
      details: null,
    };
    const result = this.#deadlineFailure(message, record.attempts) ?? await attempt(
      this.#host,
      { record, subscriber },
      new AbortController().signal,
    );
    if (result.kind === "handled") {
      this.#observe({ kind: "succeeded", ...about, attempts: nth ?? 1 });
      return { kind: "handled", duplicate: false, reply: null };
    }
    // Without claims and without a stop, the only other result is a failure.
    const policy = subscriber.retry ?? this.#retry;
    return await this.#failed(message, subscriber.group, policy, nth, result as Failure);
  }

  /**
   * Returns the result of a failed attempt. Sends the failure callback if the failure is final and
   * the sender does not notify the publisher.
   */
  async #failed(
    message: Message,
    group: string,
    policy: RetryPolicy,
    nth: number | null,
    failure: Failure,
  ): Promise<DeliveryResult> {
    const { id, name } = message;
    const { code = "handler_failed", error } = failure;
    const reason = this.#redact?.(failure.reason) ?? failure.reason;
    const result: DeliveryResult & { kind: "refused" | "rejected" } = {
      ...resultOfFailure(failure, policy, nth, this.#random()),
      // A handler that timed out may still be running.
      ...(code === "timed_out" ? { arrived: "unknown" } : {}),
    };
    const isLate = code === "deadline_exceeded";
    const attempts = (nth ?? 1) - (isLate ? 1 : 0);
    const about = { box: "inbox", id, name, group, attempts, reason } as const;
    if (result.kind === "refused") {
      const dueAtMs = this.#clock.now() + (result.retryAfterMs ?? 0);
      this.#observe({ kind: "retrying", ...about, dueAtMs, error });
      return result;
    }
    this.#observe({ kind: "failed", ...about, error });
    // A sender that keeps the schedule gets the failure as the answer, and notifies the publisher
    // itself. The count of attempts is not signed: with a forged count, anyone could cause a
    // failure callback, so none is sent when only the count says that attempts are used up.
    const isUsedUp = failure.retryable || (nth ?? 0) > maxAttempts(policy);
    if (nth === null || isUsedUp) return result;
    const isPublisherNotified = await this.#reported(message, { ...about, code });
    return isPublisherNotified ? { ...result, isPublisherNotified } : UNREPORTED;
  }

  /** The failure of a message that arrived after its deadline; null for any other. */
  #deadlineFailure(message: Message, attempts: number): Failure | null {
    const nowMs = this.#clock.now();
    const deadlineMs = deadlineOnArrival(message, nowMs, this.#clockToleranceMs);
    if (eventBeforeAttempt({ deadlineMs, crashes: 0 }, nowMs) === null) return null;
    const reason = deadlineReason({ box: "inbox", attempts, crashes: 0, details: null });
    return { kind: "fail", reason, retryable: false, code: "deadline_exceeded" };
  }

  /**
   * Before the handler runs, refuses a message whose reply cannot be sent, or whose attempts are
   * used up.
   */
  #check({ record: { message, attempts }, subscriber }: HandlerRun<undefined>): void {
    if (attempts + 1 > maxAttempts(subscriber.retry ?? this.#retry)) {
      throw new NonRetryable("The attempts were used up before this one");
    }
    const callback = requestedCallback(message);
    if (!this.#publisher.canSend && callback !== null) {
      throw new NonRetryable(
        `Cannot send the callback "${callback}": want a transport in the options`,
      );
    }
  }

  /** Runs a handler, and sends its reply at once, because it cannot be stored. */
  async #complete(
    run: HandlerRun<undefined>,
    body: unknown,
    limit: TimeLimit,
  ): Promise<HandlerResult> {
    const done = await limit.race(() =>
      runHandler(this.#host, run, body, { tx: undefined }, limit)
    );
    if (done.reply !== null) await this.#sendAnswer("reply", done.reply);
    return done;
  }

  /** Sends the failure callback; false when that failed. */
  async #reported(
    request: Message,
    { group, attempts, code, reason }: {
      readonly group: string;
      readonly attempts: number;
      readonly code: FailureCode;
      readonly reason: string;
    },
  ): Promise<boolean> {
    if (!wantsFailureCallback(request)) return true;
    const report = {
      messageId: request.id,
      name: request.name,
      group,
      code,
      reason: code === "deadline_exceeded"
        ? reason
        : reportedReason(this.#failureDetail, code, reason),
      attempts,
      round: 1,
    };
    try {
      const by = { request, group, responder: this.#service, round: 1 };
      const callback = await failureMessage(by, report, this.#clock.now());
      if (callback !== null) await this.#sendAnswer("failure callback", callback);
      return true;
    } catch (error) {
      this.#observe({ kind: "error", during: "failure callback", error });
      return false;
    }
  }

  /**
   * Sends an answer. An `id_conflict` means that an earlier run has sent a different answer, which
   * remains valid: the error is only observed.
   */
  async #sendAnswer(during: string, answer: Message): Promise<void> {
    try {
      await this.#publisher.send(answer);
    } catch (error) {
      if (!(error instanceof AtlastError && error.code === "id_conflict")) throw error;
      this.#observe({ kind: "error", during, error });
    }
  }
}

/**
 * The service name for answers; the empty string if the receiver cannot send any.
 *
 * @throws {AtlastError} `invalid_option`.
 */
function serviceOf({ service, transport }: StatelessOptions): string {
  if (service === undefined && transport !== undefined) {
    throw new AtlastError(
      "invalid_option",
      "Cannot answer without the option service: want the name of this service beside a transport, " +
        "as the ids of callbacks are derived from it",
    );
  }
  return service ?? "";
}

/**
 * The answer when the message failed but its failure callback could not be sent: the sender must
 * deliver it again.
 */
const UNREPORTED: DeliveryResult = {
  kind: "refused",
  reason: `The message of header "${HEADER.failureCallbackName}" could not be sent`,
};

/** Combines the results of all groups. A group that needs a redelivery comes first. */
function combined(results: readonly DeliveryResult[]): DeliveryResult {
  const refused = results.filter((result) => result.kind === "refused");
  const [soonest] = refused.sort((a, b) => (a.retryAfterMs ?? 0) - (b.retryAfterMs ?? 0));
  const undone = soonest ?? results.find((result) => result.kind === "rejected");
  if (undone === undefined) return results[0] ?? { kind: "no_subscriber" };
  return results.some(mayHaveEffect) ? { ...undone, arrived: "unknown" } : undone;
}

/** Whether a handler has succeeded, or may have. */
function mayHaveEffect(result: DeliveryResult): boolean {
  if (result.kind === "handled") return true;
  return (result.kind === "refused" || result.kind === "rejected") && result.arrived === "unknown";
}
