/**
 * The port of push providers: services that take messages and deliver them over HTTP on their own schedule.
 * Each provider needs its own answers to stop or delay its retries, and reports given-up messages in its own
 * form. The provider's verifier brings the dialect, and the edge app answers in it.
 *
 * @module
 */
import type { PushDelivery } from "./push_delivery.ts";

/** How a push provider delivers, and how it is answered. */
export interface DeliveryDialect {
  /** The provider's name, as it is written for people. */
  readonly name: string;
  /**
   * A header that every request of this provider has, in lower case. Anyone can send it, so it only decides in
   * which dialect a request is refused before a verifier has said whose it is.
   */
  readonly markHeader: string;
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
  /** How a refusal for good is answered, so that the provider does not try again. */
  readonly finalAnswer: {
    /** The HTTP status, of a response that has a body: not 204, 205 or 304. */
    readonly status: number;
    /** HTTP headers to add, their names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
  };
  /**
   * Reads a report of a message that the provider has dead-lettered; null for a body that is none. It is pure. Not
   * given for a provider that sends no such reports.
   */
  readDeadLetter?(text: string, push: PushDelivery): DeadLetterReport | null;
}

/** What a push provider reports of a message that it has dead-lettered. */
export interface DeadLetterReport {
  /** Where the provider keeps the message, in words an operator can use. */
  readonly reference: string;
  /** How many attempts there were; null where it does not say. */
  readonly attempts: number | null;
  /** Where the message was delivered to; null where it does not say. */
  readonly url: string | null;
  /** The request that carried the message. */
  readonly request: ReportedHttp;
  /** The last answer. */
  readonly answer: ReportedHttp & {
    /** Its status; null where there was no answer. */
    readonly status: number | null;
  };
  /** What proves that this service sent the message; null for none. */
  readonly proof: string | null;
}

/** A request or an answer as a push provider gives it back. */
export interface ReportedHttp {
  /** Its headers, their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its body in base64; null where that is not given back. */
  readonly body: string | null;
}
