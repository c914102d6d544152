/**
 * The options of the transport, and those of each message.
 *
 * @module
 */
import { checkNumber } from "../../core/check_option.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Message } from "../../core/message/message.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { QstashAccess } from "./client.ts";
import type { QstashRoutes } from "./routes.ts";

/** Limits on how fast QStash delivers messages that share a key. */
export interface QstashFlowControl {
  /** What the messages share. */
  readonly key: string;
  /** How many deliveries may be under way at once. */
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

/** How QStash delivers a message; what is not given is as the options of the transport say. */
export interface QstashChoices {
  /** How long QStash waits before the delivery, in milliseconds, beyond what the outbox has waited. */
  readonly delayMs?: number;
  /** When QStash delivers it at the earliest, in Unix milliseconds; takes the place of `delayMs`. */
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
   * What a message chooses for itself.
   *
   * @default nothing
   */
  readonly choose?: (message: Message) => QstashChoices;
  /**
   * The retry policy of the subscribers, or the longest of several. Subscribers say themselves when they want the
   * next attempt, and when no more: QStash is told to try at least as often, and by these delays where a
   * destination says nothing.
   *
   * @default CAP's
   */
  readonly retry?: RetryPolicy;
  /**
   * How long a destination may take to answer, in seconds.
   *
   * @default what the plan allows
   */
  readonly answerTimeoutS?: number;
  /**
   * The URL of the edge app's `/dead-letter` route. When QStash gives a message up, it is then failed in the
   * outbox, and its publisher is told.
   *
   * @default it shows only in QStash's own dead letter queue
   */
  readonly failureCallback?: string | URL;
  /**
   * Keys that prove, when a message comes back by the failure callback, that this service sent it: in base64,
   * 24 to 64 bytes each, the current one first, the same in all instances. The `token` stands in for them.
   * With a `client` and no keys, a message that the outbox has forgotten cannot be kept as failed.
   */
  readonly failureCallbackKeys?: readonly string[];
  /**
   * `message`: CAP's headers as HTTP headers and the body as it is, with a digest of the headers in the query of
   * the destination. `batch`: all of it in a body of Atlast's own form; what would be too large in that form goes
   * in the other. What goes to a URL group is always a batch.
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
   * Where the time is from.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
}

/**
 * A whole number from 1 to `most`.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkedCount(option: string, value: number, most: number): number {
  return checkNumber(option, value, { whole: true, least: 1, most });
}

/**
 * Checks choices; each message's own ones too, because QStash would refuse the whole batch for them.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkChoices(choices: QstashChoices): void {
  const { delayMs = 0, notBeforeMs = 0, labels = [], flowControl } = choices;
  const problem = !(delayMs >= 0 && delayMs <= MAX_WAIT_MS)
    ? `delayMs ${delayMs}: want milliseconds from 0 on`
    : !(notBeforeMs >= 0 && notBeforeMs <= MAX_WAIT_MS)
    ? `notBeforeMs ${notBeforeMs}: want Unix milliseconds`
    : !labels.every((label) => /^[\x21-\x2b\x2d-\x7e]{1,200}$/.test(label))
    ? "labels: want each of 1 to 200 printable ASCII characters, without spaces and commas"
    : flowControl === undefined
    ? null
    : problemOfFlow(flowControl);
  if (problem !== null) throw new AtlastError("invalid_option", `Cannot use ${problem}`);
}

/** Past the year 2200; what QStash allows is its plan's business. */
const MAX_WAIT_MS = 7.3e12;

function problemOfFlow({ key, ...limits }: QstashFlowControl): string | null {
  if (typeof key !== "string" || !/^[\x21-\x7e]{1,200}$/.test(key)) {
    return "flowControl.key: want 1 to 200 printable ASCII characters, without spaces";
  }
  if (limits.parallelism === undefined && limits.rate === undefined) {
    return "flowControl without a limit: want parallelism or rate";
  }
  const bad = Object.entries(limits).find(([, value]) => !(Number.isInteger(value) && value > 0));
  return bad === undefined
    ? null
    : `flowControl.${bad[0]} ${bad[1]}: want a whole number above zero`;
}
