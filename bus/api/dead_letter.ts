/**
 * A push provider's report that it has dead-lettered a message.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";

/** A message that was sent and then dead-lettered. */
export interface DeadLetter {
  /** Its id. */
  readonly id: string;
  /** Why it was dead-lettered, for an operator. */
  readonly reason: string;
  /**
   * Whether the receiver has notified its publisher already.
   *
   * @default false
   */
  readonly isPublisherNotified?: boolean;
  /**
   * The message itself. It is stored as failed if the outbox has pruned it and `proof` shows that
   * it was sent from here.
   */
  readonly message?: Message;
  /** Proves to the transport that this service sent `message`. */
  readonly proof?: string;
  /**
   * When the provider reported it, in Unix milliseconds. A message that was sent again after that
   * is not changed.
   *
   * @default now
   */
  readonly saidAtMs?: number;
}

/** The state of a dead-lettered message. */
export type DeadLetterStanding =
  /** It is stored as failed. */
  | "failed"
  /** It is being sent now, and the report may be about that send: report it again later. */
  | "sending"
  /** It will be sent again anyway, so the report is outdated. */
  | "scheduled"
  /** It was sent again since, so the report is outdated. */
  | "succeeded"
  /** The outbox has no such message that could fail, and `proof` does not show that it ever had. */
  | "unknown";
