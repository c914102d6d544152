/**
 * A push provider's report that it has given a message up.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";

/** A message that was sent and then given up. */
export interface DeadLetter {
  /** Its id. */
  readonly id: string;
  /** Why it was given up, in words an operator can use. */
  readonly reason: string;
  /**
   * Whether its publisher has had word of it already, from the receiver.
   *
   * @default false
   */
  readonly isPublisherNotified?: boolean;
  /**
   * The message itself, to be kept as failed if the outbox has forgotten it by now and `proof` shows that it
   * was sent from here.
   */
  readonly message?: Message;
  /** What proves to the transport that this service sent `message`. */
  readonly proof?: string;
  /**
   * When whoever gave it up said so, in Unix milliseconds. What was sent again after that is left alone.
   *
   * @default now
   */
  readonly saidAtMs?: number;
}

/** How a dead-lettered message stands. */
export type DeadLetterStanding =
  /** It is kept as failed. */
  | "failed"
  /** It is being sent just now, so that this may be news of that very sending: say it again later. */
  | "sending"
  /** It will be sent again anyway, so this news is old. */
  | "scheduled"
  /** It was sent again since, so this news is old. */
  | "succeeded"
  /** The outbox has no such message that could fail, and nothing proves that it ever had. */
  | "unknown";
