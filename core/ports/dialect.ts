/**
 * The port of push providers: services that accept messages and deliver them over HTTP on their own
 * schedule. Each provider needs its own responses to stop or delay its retries, and has its own
 * form of dead-letter reports. The provider's verifier has the dialect, and the edge app uses it.
 *
 * @module
 */
import type { PushDelivery } from "./push_delivery.ts";

/** How a push provider delivers, and how to answer it. */
export interface DeliveryDialect {
  /** The provider's name, for people. */
  readonly name: string;
  /**
   * A header that every request of this provider has, in lower case. Anyone can send it, so it only
   * selects the dialect for refusals before a verifier has identified the caller.
   */
  readonly markHeader: string;
  /**
   * Whether it redelivers a refused message at the time in `Retry-After`. Then the retry policy of
   * the bus drives the provider. Otherwise a stored message is answered as accepted.
   */
  readonly redelivers: boolean;
  /**
   * Whether it stores finally refused messages for an operator. Then a message that has failed here
   * is refused for good. Otherwise it is answered as accepted, because it is stored here.
   */
  readonly deadLetters: boolean;
  /**
   * The delay that a stopping service requests, in milliseconds. A provider counts each delivery,
   * and another process should have taken over by the next one.
   */
  readonly stoppingRetryMs: number;
  /** The response for a final refusal, after which the provider does not retry. */
  readonly finalAnswer: {
    /** The HTTP status, of a response that has a body: not 204, 205 or 304. */
    readonly status: number;
    /** HTTP headers to add, their names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
  };
  /**
   * Reads a dead-letter report; null for a body that is no report. It has no side effects. Omitted
   * for a provider that sends no reports.
   */
  readDeadLetter?(text: string, push: PushDelivery): DeadLetterReport | null;
}

/** A push provider's report of a message that it has dead-lettered. */
export interface DeadLetterReport {
  /** Where the provider keeps the message, for an operator. */
  readonly reference: string;
  /** How many attempts there were; null if unknown. */
  readonly attempts: number | null;
  /** The destination of the message; null if unknown. */
  readonly url: string | null;
  /** The request that carried the message. */
  readonly request: ReportedHttp;
  /** The last response. */
  readonly answer: ReportedHttp & {
    /** Its status; null if there was no response. */
    readonly status: number | null;
  };
  /** The proof that this service sent the message; null for none. */
  readonly proof: string | null;
}

/** A request or response in a push provider's report. */
export interface ReportedHttp {
  /** Its headers, their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its body in base64; null if the report does not contain it. */
  readonly body: string | null;
}
