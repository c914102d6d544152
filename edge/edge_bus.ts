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

/** What a tick did; answered as it is. */
export interface EdgeTickReport {
  /** When there is work again, in Unix milliseconds; null when nothing is scheduled. */
  readonly nextDueAtMs: number | null;
}

/** How a bus is; answered as it is, to anyone who asks. */
export interface EdgeHealthReport {
  /** Whether it can take messages. */
  readonly ready: boolean;
  /** Whether its store answers. */
  readonly store: "up" | "down";
  /** Whether its loop runs; false is well where ticks come from outside. */
  readonly running: boolean;
  /** Why it is not ready, in words that name no host, user or the like. */
  readonly reason?: string;
}

/** The part of a bus that the edge app uses; every bus fits. */
export interface EdgeBus extends Receiver {
  /** Does what background work is due, for about `budgetMs` milliseconds at the most. */
  tick(options: { budgetMs: number }): Promise<EdgeTickReport>;
  /**
   * Says how it is.
   *
   * @param options `maxAgeMs`: how old what it says of its store may be, so that requests of anyone cost it
   * no more than one look in that time.
   */
  health(options?: { readonly maxAgeMs?: number }): Promise<EdgeHealthReport>;
  /** Publishes a message byte for byte; for the option `publish`. */
  publishRaw?(
    message: RawMessage,
    options: Pick<RawOptions, "contract" | "delayMs">,
  ): Promise<Receipt>;
  /** Sends what is due now; for the option `publish`, where the platform lets work end after the answer. */
  flush?(): Promise<void>;
  /** Fails a message that was sent and then given up; for the option `deadLetters`. */
  deadLetter?(report: DeadLetter): Promise<DeadLetterStanding>;
  /** Says what became of the operation of a half message; for the option `checkBack`. */
  checkBack?(question: CheckQuestion): Promise<CheckAnswer>;
  /** The half messages it keeps; for the option `halfMessages`. */
  readonly halfMessages?: HalfKeeper;
  /** Where its messages are; for the option `query`. */
  readonly store?: Pick<Store, "ready" | "find">;
}
