/**
 * The options of the transport, and those of each message.
 *
 * @module
 */
import type { Allowed } from "../../core/check_option.ts";
import {
  aFunction,
  aList,
  aNumber,
  anything,
  aRecord,
  aTextLike,
  checkOptions,
  nested,
  oneOf,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { aRetryPolicy } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Message } from "../../core/message/message.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import { QSTASH_ACCESS, type QstashAccess } from "./client.ts";
import type { QstashRoutes } from "./routes.ts";

/** Limits on how fast QStash delivers messages that share a key. */
export interface QstashFlowControl {
  /** The key that the messages share. */
  readonly key: string;
  /** How many deliveries may run at once. */
  readonly parallelism?: number;
  /** How many deliveries may begin within a period. */
  readonly rate?: number;
  /**
   * How long a period is, in seconds.
   *
   * @default 1
   */
  readonly periodS?: number;
}

/** How QStash delivers a message. Missing fields are taken from the options of the transport. */
export interface QstashChoices {
  /** How long QStash waits before the delivery, in milliseconds, in addition to the wait in the outbox. */
  readonly delayMs?: number;
  /** The earliest time of the delivery, in Unix milliseconds; replaces `delayMs`. */
  readonly notBeforeMs?: number;
  /** Labels to find it by in the console, the logs and the DLQ. */
  readonly labels?: readonly string[];
  /** Limits on how fast it is delivered. */
  readonly flowControl?: QstashFlowControl;
}

/** What {@linkcode qstashTransport} takes. */
export interface QstashTransportOptions extends QstashAccess, QstashChoices {
  /**
   * Message names, or patterns with `*` and `#`, to the URL of the deliver route that takes their messages,
   * or to a URL group. The most exact pattern that matches a name is its route.
   */
  readonly routes: QstashRoutes;
  /**
   * Returns the choices for one message.
   *
   * @default none
   */
  readonly choose?: (message: Message) => QstashChoices;
  /**
   * The retry policy of the subscribers, or the longest of several. Subscribers answer when the next attempt
   * should be, and when to stop. The policy sets how often QStash tries at least, and the delays if a
   * destination does not answer.
   *
   * @default CAP's
   */
  readonly retry?: RetryPolicy;
  /**
   * How long a destination may take to answer, in seconds.
   *
   * @default the limit of the plan
   */
  readonly answerTimeoutS?: number;
  /**
   * The URL of the edge app's `/dead-letter` route. When QStash dead-letters a message, it calls this URL.
   * The message then fails in the outbox, and its failure callback is published.
   *
   * @default the message is only in QStash's dead letter queue
   */
  readonly failureCallback?: string | URL;
  /**
   * Keys that prove, when QStash reports a dead-lettered message, that this service sent it: in base64, 24 to
   * 64 bytes each, the current one first, the same in all instances. Without them the `token` is used. With a
   * `client` and no keys, a message that the outbox has pruned cannot be kept as failed.
   */
  readonly failureCallbackKeys?: readonly string[];
  /**
   * `message`: CAP's headers as HTTP headers and the body as it is, with a digest of the headers in the query
   * of the destination. `batch`: the whole message in a body of Atlast's own form. A message that would be
   * too large in that form is sent in the other one. Messages to a URL group are always a batch.
   *
   * @default "message"
   */
  readonly format?: "message" | "batch";
  /**
   * The most messages in a request.
   *
   * @default 100
   */
  readonly maxBatch?: number;
  /**
   * The largest message, in bytes.
   *
   * @default 1 MiB
   */
  readonly maxMessageBytes?: number;
  /**
   * The largest request, in bytes.
   *
   * @default 8 MiB
   */
  readonly maxRequestBytes?: number;
  /**
   * How long QStash may take to answer, in milliseconds.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number;
  /**
   * The source of the time.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
}

/** The limits of the time that QStash may take to answer. */
export const ANSWER_TIME: Allowed = { whole: true, least: 1, most: 10 * 60_000 };

const BYTES = aNumber({ whole: true, least: 1, most: Number.MAX_SAFE_INTEGER });

/** The most that `maxBatch` may be: QStash names no limit. */
const MOST_MAX_BATCH = 1_000;

/**
 * Checks the options that are not checked where they are read.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkTransportOptions(options: QstashTransportOptions): void {
  const table: Readonly<Record<Exclude<keyof QstashTransportOptions, "routes">, OptionCheck>> = {
    ...CHOICES,
    ...QSTASH_ACCESS,
    failureCallback: anything,
    failureCallbackKeys: anything,
    choose: aFunction,
    retry: aRetryPolicy,
    answerTimeoutS: aNumber({ whole: true, least: 1, most: 24 * 60 * 60 }),
    format: oneOf("message", "batch"),
    maxBatch: aNumber({ whole: true, least: 1, most: MOST_MAX_BATCH }),
    maxMessageBytes: BYTES,
    maxRequestBytes: BYTES,
    timeoutMs: aNumber(ANSWER_TIME),
    clock: withMethods("now"),
  };
  checkOptions("make a transport with", options, table, { routes: aRecord });
  checkLimited(options);
}

/**
 * Checks choices, including those of each message, because QStash would refuse the whole batch for one of
 * them.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkChoices(choices: QstashChoices): void {
  checkOptions("send by QStash with", choices, CHOICES);
  checkLimited(choices);
}

function checkLimited({ flowControl }: QstashChoices): void {
  if (flowControl === undefined) return;
  if (flowControl.parallelism === undefined && flowControl.rate === undefined) {
    throw new AtlastError(
      "invalid_option",
      "Cannot use flowControl without a limit: want parallelism or rate",
    );
  }
}

/** Later than the year 2200; QStash itself checks the limit of the plan. */
const MAX_WAIT_MS = 7.3e12;
const WAIT = aNumber({ unit: "milliseconds", least: 0, most: MAX_WAIT_MS });
const COUNT = aNumber({ whole: true });

const CHOICES: Readonly<Record<keyof QstashChoices, OptionCheck>> = {
  delayMs: WAIT,
  notBeforeMs: WAIT,
  labels: aList(aTextLike({
    pattern: /^[\x21-\x2b\x2d-\x7e]{1,200}$/,
    words: "1 to 200 printable ASCII characters, without spaces and commas",
  })),
  flowControl: nested({ parallelism: COUNT, rate: COUNT, periodS: COUNT }, {
    key: aTextLike({
      pattern: /^[\x21-\x7e]{1,200}$/,
      words: "1 to 200 printable ASCII characters, without spaces",
    }),
  }),
};
