/**
 * The port of push providers: services that take messages and deliver them over HTTP on their own schedule.
 * Each has its own way to say which attempt a delivery is, and to be told whether it should try again. The
 * provider's verifier brings its dialect along, and the edge app answers in it.
 *
 * @module
 */
import type { HeaderReader } from "./platform.ts";
import type { PushDelivery } from "./push_delivery.ts";

/** How a push provider delivers, and how it is answered. Every function is pure. */
export interface DeliveryDialect {
  /**
   * Whether a request says that this provider sends it. Nobody has verified that: it only decides in which
   * dialect a refusal is answered.
   */
  claims(headers: HeaderReader): boolean;
  /**
   * Whether it delivers again what is refused, at the time that `Retry-After` asks for. Then the bus's own retry
   * policy drives the provider. Otherwise a message that is stored is answered as taken.
   */
  readonly redelivers: boolean;
  /**
   * Whether it keeps what is refused for good, where an operator finds it. Then a message that has failed here is
   * refused for good; otherwise it is answered as taken, as it is kept here.
   */
  readonly deadLetters: boolean;
  /**
   * How long it is asked to wait by a service that is stopping, in milliseconds: a provider counts each delivery,
   * and another process should have taken over by the next one.
   */
  readonly stoppingRetryMs: number;
  /** The status and the headers of a refusal, as the provider understands them. */
  translateRefusal(refusal: RefusalAnswer): Pick<RefusalAnswer, "status" | "headers">;
  /**
   * Reads a report of a message that the provider has dead-lettered; null for a body that is none, or is about no
   * message of Atlast's. Not given for a provider that sends no such reports.
   */
  readDeadLetter?(text: string, push: PushDelivery): DeadLetterReport | null;
}

/** What the answer to a refused request says beside its body. */
export interface RefusalAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The HTTP headers, their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the same request would be refused each time. */
  readonly isFinal: boolean;
}

/** What a push provider reports of a message that it has dead-lettered. */
export interface DeadLetterReport {
  /** The message's id. */
  readonly id: string;
  /** Why, in words an operator can use. */
  readonly reason: string;
  /** What the destination answered last, as text; empty for none. */
  readonly answer: string;
  /** Whether the receiver has told the message's publisher. */
  readonly isTold: boolean;
  /** The request that carried the message, as the provider gives it back. */
  readonly request: {
    /** Its headers, their names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
    /** Its body; null where that is not given back. */
    readonly body: Uint8Array | null;
    /** How many bytes the body of the message in it has; null where that is not known. */
    readonly messageBytes: number | null;
  };
  /** What proves that this service sent the message; null for none. */
  readonly proof: string | null;
}
