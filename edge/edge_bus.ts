/**
 * The parts of a bus that the edge app uses.
 *
 * @module
 */
import type { HalfKeeper } from "../core/ports/half_keeper.ts";
import type { Receipt } from "../bus/api/publish_options.ts";
import type { RawMessage, RawOptions } from "../bus/api/raw_message.ts";
import type { DeadLetter, DeadLetterStanding } from "../bus/api/dead_letter.ts";
import type { CheckAnswer } from "../core/lifecycle/check_back.ts";
import type { Store } from "../core/ports/store.ts";
import type { CheckQuestion } from "../core/ports/fence.ts";
import type { Receiver } from "../core/ports/transport.ts";

/** The report of a tick, which is the body of the response. */
export interface EdgeTickReport {
  /** When the next work is due, in Unix milliseconds; null when nothing is scheduled. */
  readonly nextDueAtMs: number | null;
}

/** The health of a bus, which is the body of the response. Anyone may request it. */
export interface EdgeHealthReport {
  /** Whether it can take messages. */
  readonly ready: boolean;
  /** Whether its store answers. */
  readonly store: "up" | "down";
  /** Whether its loops run; false is normal where a cron job ticks. */
  readonly running: boolean;
  /** Why it is not ready, without names of hosts or users. */
  readonly reason?: string;
}

/** The part of a bus that the edge app uses. Every bus has it. */
export interface EdgeBus extends Receiver {
  /** Does due background work, for at most about `budgetMs` milliseconds. */
  tick(options: { budgetMs: number }): Promise<EdgeTickReport>;
  /**
   * Returns the health of the bus.
   *
   * @param options `maxAgeMs` is the greatest age of the store's result: within that time, any
   * number of requests causes one query of the store.
   */
  health(options?: { readonly maxAgeMs?: number }): Promise<EdgeHealthReport>;
  /** Publishes a message byte for byte; for the option `publish`. */
  publishRaw?(
    message: RawMessage,
    options: Pick<RawOptions, "contract" | "delayMs">,
  ): Promise<Receipt>;
  /**
   * Sends the messages that are due now; for the option `publish`, if the platform lets work
   * continue after the response.
   */
  flush?(): Promise<void>;
  /** Marks a message as failed that was dead-lettered; for the option `deadLetters`. */
  deadLetter?(report: DeadLetter): Promise<DeadLetterStanding>;
  /** Returns the outcome of the operation of a half message; for the option `checkBack`. */
  checkBack?(question: CheckQuestion): Promise<CheckAnswer>;
  /** The keeper of half messages; for the option `halfMessages`. */
  readonly halfMessages?: HalfKeeper;
  /** The store of its messages; for the option `query`. */
  readonly store?: Pick<Store, "ready" | "find">;
}
