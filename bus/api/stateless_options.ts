/**
 * The options of a receiver without a store.
 *
 * @module
 */
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { Transport } from "../../core/ports/transport.ts";
import type { FailureDetail } from "./failure_report.ts";
import type { Logger } from "./logger.ts";
import type { ConsumeMiddleware } from "./middleware.ts";
import type { Observer } from "./observer.ts";

/** The options of a receiver without a store. Times are in milliseconds. */
export interface StatelessOptions {
  /**
   * Sends callbacks and the messages that handlers publish, within the delivery. Without it
   * handlers cannot publish, and a message that requests a callback is rejected before it is
   * handled.
   */
  readonly transport?: Transport;
  /**
   * The name of this service, required with a `transport`: see `BusOptions.service`. There is no
   * store that could keep a random one.
   */
  readonly service?: string;
  /** The callback names that messages may request: see `BusOptions.callbackNames`. */
  readonly callbackNames?: readonly string[];
  /**
   * How much a failure callback says about a failure: see `BusOptions.failureDetail`.
   *
   * @default "class"
   */
  readonly failureDetail?: FailureDetail;
  /** Removes text from reasons and errors that must not be logged: see `BusOptions.redact`. */
  readonly redact?: (text: string) => string;
  /**
   * When failed messages are delivered again. It applies if the sender counts attempts, as a push
   * provider does. Do not allow more attempts here than the sender makes.
   *
   * @default CAP's schedule
   */
  readonly retry?: RetryPolicy;
  /**
   * How far the clock of a publisher may differ: see `BusOptions.clockToleranceMs`.
   *
   * @default 60_000
   */
  readonly clockToleranceMs?: number;
  /**
   * How long a handler may take.
   *
   * @default 30_000
   */
  readonly handlerTimeoutMs?: number;
  /**
   * How many messages of one group in one delivery are handled at once.
   *
   * @default 5
   */
  readonly concurrency?: number;
  /** Wraps every handler, the first one outermost. */
  readonly onConsume?: readonly ConsumeMiddleware<undefined>[];
  /** Called with every event. */
  readonly observe?: Observer;
  /**
   * Where failures are logged: see `BusOptions.logger`.
   *
   * @default console
   */
  readonly logger?: Logger | false;
  /**
   * The clock.
   *
   * @default the platform's
   */
  readonly clock?: Clock;
  /**
   * The source of random numbers in [0, 1). Only jitter uses it.
   *
   * @default the platform's
   */
  readonly random?: () => number;
}
