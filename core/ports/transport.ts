/**
 * The ports that send and receive messages: `Transport` and `Receiver`.
 *
 * @module
 */
import type { DelayedBy } from "../lifecycle/delayed_by.ts";
import type { FailureCode } from "../lifecycle/failure_code.ts";
import type { Message, MessageHeaders } from "../message/message.ts";
import type { AbortSignalLike } from "./platform.ts";
import type { Principal } from "../principal.ts";
import type { PullRequest, PullResult } from "./pull.ts";

/** The result of sending one message. */
export type SendResult =
  /** It was sent: the receiver is responsible for it now. */
  | { readonly kind: "sent" }
  /** It was not sent. */
  | {
    readonly kind: "failed";
    readonly reason: string;
    /** Whether another attempt could succeed. */
    readonly retryable: boolean;
    /** When the receiver requests the next attempt, in milliseconds from now. It only lengthens the schedule. */
    readonly retryAfterMs?: number;
    /** What asks for a later attempt; see {@linkcode DelayedBy}. Omitted for any other answer. */
    readonly delayedBy?: DelayedBy;
    /**
     * The destination that could not be reached: it refused the connection or did not answer in time, or the answer
     * was 502, 503 or 504. Named as in {@linkcode Transport.destinations}, with 200 characters at most.
     */
    readonly unreachable?: string;
    /** See {@linkcode Arrival}. */
    readonly arrived?: Arrival;
    /** The class of the failure, if it is known. */
    readonly code?: FailureCode;
  }
  /**
   * It was not accepted because the receiver or this service is stopping. No attempt is counted.
   */
  | {
    readonly kind: "stopping";
    readonly reason: string;
    /** When the receiver requests it again, in milliseconds from now. */
    readonly retryAfterMs?: number;
    /** See {@linkcode Arrival}. */
    readonly arrived?: Arrival;
  }
  /**
   * The transport of this instance has no destination for this name; another instance may have one.
   * No attempt is counted.
   */
  | { readonly kind: "unroutable"; readonly reason: string };

/**
 * Whether a message that was not sent successfully may have taken effect nevertheless. `no`:
 * nothing of it was sent, or the receiver says that it did not accept it. `unknown`, the default:
 * it was sent, and the answer was lost or does not say.
 */
export type Arrival = "no" | "unknown";

/** What a transport can do. */
export interface TransportCapabilities {
  /** The most messages a call of `send` takes. */
  readonly maxBatch: number;
  /** The largest body it carries, in bytes. */
  readonly maxBodyBytes: number;
}

/** Carries messages to their subscribers. */
export interface Transport {
  /** What this transport can do. */
  readonly capabilities: TransportCapabilities;
  /**
   * Whether there is a destination for a message with this name and these headers. Every publish
   * calls it, so that a wrong name fails at once. The header `HEADER.destination` replaces the name
   * as destination; a transport that cannot send there returns false.
   */
  routes(name: string, headers?: MessageHeaders): boolean;
  /**
   * Sends messages. Results are in the order of `messages`; a failure of one does not affect the
   * others. A call that throws counts as a retryable failure of every message. Sending a message
   * twice is harmless, because the inbox recognises its id.
   */
  send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]>;
  /**
   * The names of the destinations of a message with this name and these headers, for the option `resumeOnRecovery`.
   * They must not contain a secret. Without this method, or without `unreachable` in results, messages always wait for
   * their schedule.
   */
  destinations?(name: string, headers?: MessageHeaders): readonly string[];
  /**
   * For a transport with a broker: resolves if the broker answers, and rejects otherwise. `health()`
   * calls it with a time limit of its own.
   */
  ready?(): Promise<void>;
  /** Lets an in-process transport deliver to the bus. Called once, when the bus is created. */
  attach?(receiver: Receiver): void;
  /** Pulls messages, for a transport that does not push; see {@linkcode PullRequest}. */
  pull?(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult>;
  /**
   * For a transport of a push provider: whether the proof in a dead-letter report shows that this
   * service sent the message.
   */
  provesSent?(message: Message, proof: string): Promise<boolean>;
  /** Closes what the transport opened, and detaches the receiver. */
  close(receiver?: Receiver): Promise<void>;
}

/** The result of delivering one message. */
export type DeliveryResult =
  /**
   * It is stored, and this service handles it later. A bus that is not running sets `retryAfterMs`,
   * in milliseconds from now: after that time a tick or a redelivery can handle the message.
   */
  | { readonly kind: "accepted"; readonly retryAfterMs?: number }
  /** It was handled, in this delivery or an earlier one; `reply` is what the handler returned, as JSON. */
  | { readonly kind: "handled"; readonly duplicate: boolean; readonly reply: string | null }
  /**
   * It is stored as failed, in this delivery or an earlier one, and is not retried automatically.
   */
  | { readonly kind: "failed"; readonly duplicate: boolean; readonly reason: string }
  /** Nothing here subscribes to its name; it was not stored. */
  | { readonly kind: "no_subscriber" }
  /**
   * It could not be accepted now, and nothing was stored. Without `retryAfterMs`, the sender
   * chooses when to retry.
   */
  | {
    readonly kind: "refused";
    readonly reason: string;
    readonly retryAfterMs?: number;
    /**
     * `stopping`: this service is shutting down, and the sender must not count an attempt. Others: see
     * {@linkcode DelayedBy}.
     */
    readonly code?: "stopping" | DelayedBy;
    /**
     * `unknown` if it may have taken effect nevertheless.
     *
     * @default "no"
     */
    readonly arrived?: Arrival;
  }
  /**
   * It can never be accepted, and nothing was stored: the sender marks it as failed.
   * `isPublisherNotified` says whether this service has sent the failure callback, if one was
   * requested; by default false. `arrived` is as for a refused message.
   */
  | {
    readonly kind: "rejected";
    readonly reason: string;
    readonly isPublisherNotified?: boolean;
    readonly arrived?: Arrival;
    /**
     * The class of the failure.
     *
     * @default "rejected"
     */
    readonly code?: FailureCode;
  };

/** The options of a delivery. */
export interface DeliverOptions {
  /**
   * Whether the sender redelivers an `accepted` message after `retryAfterMs`, so that no alarm is
   * needed for it.
   *
   * @default false
   */
  readonly redelivers?: boolean;
  /**
   * When the sender requested a retry from the start, for example by an operator, in Unix
   * milliseconds. It applies to a message that had failed before that time, so a repeated delivery
   * changes nothing. If omitted, a failed message is answered with its failure.
   */
  readonly afreshAtMs?: number;
  /**
   * Whether the publisher gets the result of the delivery. If not, because the message was pulled,
   * the receiver sends the failure callbacks of rejected messages.
   *
   * @default true
   */
  readonly publisherLearns?: boolean;
  /** The principal that delivers, if the verifier names one. */
  readonly principal?: Principal;
  /**
   * Whether a receiver that handles messages later checks their bodies before it answers, so that a
   * sender who reads only the answer learns that a message fails. It is stored all the same.
   *
   * @default false
   */
  readonly readsBodies?: boolean;
}

/** Receives messages. Every bus is a receiver. */
export interface Receiver {
  /** Whether there is a subscriber for this name. */
  subscribes(name: string): boolean;
  /**
   * Receives messages. Results are in the order of `messages`; a failure of one does not affect the
   * others.
   */
  deliver(messages: readonly Message[], options?: DeliverOptions): Promise<DeliveryResult[]>;
}
