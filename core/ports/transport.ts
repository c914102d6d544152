/**
 * The transport port: what carries messages, and what receives them.
 *
 * @module
 */
import type { FailureCode } from "../lifecycle/failure_code.ts";
import type { Message, MessageHeaders } from "../message/message.ts";
import type { AbortSignalLike } from "./platform.ts";
import type { Principal } from "../principal.ts";
import type { PullRequest, PullResult } from "./pull.ts";

/** What became of one message that a transport was to carry. */
export type SendResult =
  /** It arrived where it must: the other side keeps it from here on. */
  | { readonly kind: "sent" }
  /** It did not. */
  | {
    readonly kind: "failed";
    readonly reason: string;
    /** Whether another attempt could end otherwise. */
    readonly retryable: boolean;
    /** When the other side wants the next attempt, in milliseconds from now. */
    readonly retryAfterMs?: number;
    /** See {@linkcode Arrival}. */
    readonly arrived?: Arrival;
    /** What kind of failure it is, where that is known. */
    readonly code?: FailureCode;
  }
  /** It was not taken because the other side is stopping, or this one. No attempt is counted. */
  | {
    readonly kind: "stopping";
    readonly reason: string;
    /** When the other side wants it again, in milliseconds from now. */
    readonly retryAfterMs?: number;
    /** See {@linkcode Arrival}. */
    readonly arrived?: Arrival;
  }
  /** Nobody here takes this name now; an instance that knows its destination may. No attempt is counted. */
  | { readonly kind: "unroutable"; readonly reason: string };

/**
 * Whether a message that was not sent may have taken effect all the same. `no`: nothing of it was sent, or
 * the receiver says that it did not take it. `unknown`, if not given: it was sent, and the answer was lost or
 * says neither.
 */
export type Arrival = "no" | "unknown";

/** What a transport can do. */
export interface TransportCapabilities {
  /** The most messages a call of `send` takes. */
  readonly maxBatch: number;
  /** The largest body it carries, in bytes. */
  readonly maxBodyBytes: number;
}

/** What carries messages to their subscribers. */
export interface Transport {
  /** What this transport can do. */
  readonly capabilities: TransportCapabilities;
  /**
   * Whether there is a destination for a message with this name and these headers. Asked at publish, so
   * that a typing error shows there. `HEADER.destination` among the headers takes the place of the name;
   * a transport that cannot send there says no.
   */
  routes(name: string, headers?: MessageHeaders): boolean;
  /**
   * Sends messages; results are in the order of `messages`, and one that fails does so alone. A call
   * that throws counts as a retryable failure of every message. Sending a message twice is harmless:
   * the inbox knows it by its id.
   */
  send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]>;
  /** Lets a transport inside this process deliver to the bus. Called once, when the bus is made. */
  attach?(receiver: Receiver): void;
  /** Fetches what has come, where messages do not come by themselves; see {@linkcode PullRequest}. */
  pull?(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult>;
  /**
   * For a transport that hands messages to a provider which delivers them by itself: whether a proof, which
   * came back with a message that the provider gave up, shows that this service sent that very message.
   */
  provesSent?(message: Message, proof: string): Promise<boolean>;
  /** Gives back what the transport opened, and forgets the receiver. */
  close(receiver?: Receiver): Promise<void>;
}

/** What became of a delivered message. */
export type DeliveryResult =
  /**
   * It is stored, and is handled later by this service. `retryAfterMs`, in milliseconds from now, is given
   * by a bus that rests: after that the message can be handled by a tick, or by delivering it again.
   */
  | { readonly kind: "accepted"; readonly retryAfterMs?: number }
  /** It was handled, in this delivery or an earlier one; `reply` is what the handler returned, as JSON. */
  | { readonly kind: "handled"; readonly duplicate: boolean; readonly reply: string | null }
  /** It is stored as failed, in this delivery or an earlier one, and is not tried again by itself. */
  | { readonly kind: "failed"; readonly duplicate: boolean; readonly reason: string }
  /** Nothing here subscribes to its name; it was not stored. */
  | { readonly kind: "no_subscriber" }
  /** It could not be taken now; nothing was stored. When to come again is up to the sender if not given. */
  | {
    readonly kind: "refused";
    readonly reason: string;
    readonly retryAfterMs?: number;
    /** `stopping`: this service is shutting down, and the sender is to count no attempt. */
    readonly code?: "stopping";
    /**
     * `unknown` where it may have taken effect all the same.
     *
     * @default "no"
     */
    readonly arrived?: Arrival;
  }
  /**
   * It can never be taken, and nothing was stored: the sender keeps it as failed. `isPublisherNotified` says whether
   * its publisher has had word of that from here, if it asked for one; false if not given. `arrived` as for
   * one that is refused.
   */
  | {
    readonly kind: "rejected";
    readonly reason: string;
    readonly isPublisherNotified?: boolean;
    readonly arrived?: Arrival;
    /**
     * What kind of refusal it is.
     *
     * @default "rejected"
     */
    readonly code?: FailureCode;
  };

/** What whoever delivers lets the receiver count on. */
export interface DeliverOptions {
  /**
   * Whether it delivers again what was `accepted`, after `retryAfterMs`, so that nobody else need be woken for it.
   *
   * @default false
   */
  readonly redelivers?: boolean;
  /**
   * When the sender meant what is stored as failed to be tried again from the start, as by an operator's
   * retry, in Unix milliseconds. Holds for what had failed before then, so that the same delivery again
   * changes nothing. Not given, what has failed is answered with its failure.
   */
  readonly afreshAtMs?: number;
  /**
   * Whether the publisher learns from the answer what became of its message. Where it does not, because the
   * message was fetched, the receiver itself sends the failure callback of what it rejects.
   *
   * @default true
   */
  readonly publisherLearns?: boolean;
  /** Who delivers, where the verifier says so. */
  readonly principal?: Principal;
}

/** The receiving side of a bus. */
export interface Receiver {
  /** Whether anything here subscribes to this name. */
  subscribes(name: string): boolean;
  /** Takes messages in; results are in the order of `messages`, and one that fails does so alone. */
  deliver(messages: readonly Message[], options?: DeliverOptions): Promise<DeliveryResult[]>;
}
