/**
 * Maps errors and results to HTTP statuses. No other file does.
 *
 * @module
 */
import { AtlastError, type ErrorCode } from "../../core/errors.ts";
import type { FailureCode } from "../../core/lifecycle/failure_code.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import { NOTIFIED_HEADER } from "../../core/wire/redelivery.ts";
import { isInstance } from "../../core/user_code/thrown.ts";

/** The error that refuses a request, with the parts of its response. */
export class Refusal extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** The error code. */
  readonly code: string;
  /** Further HTTP headers of the response. */
  readonly headers: Readonly<Record<string, string>>;
  /** When to try again, in milliseconds from now; undefined if it does not matter. */
  readonly retryAfterMs: number | undefined;
  /** Whether the same request would be refused each time. The response to a delivery says so. */
  readonly isFinal: boolean;

  /** Creates a refusal. The message is sent to the caller. */
  constructor(
    status: number,
    code: string,
    message: string,
    headers: Readonly<Record<string, string>> = {},
    retryAfterMs?: number,
    isFinal = false,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.retryAfterMs = retryAfterMs;
    this.isFinal = isFinal;
  }

  /** The same refusal with another status or other headers. */
  with({ status = this.status, headers }: Partial<Pick<Refusal, "status" | "headers">>): Refusal {
    const { code, message, retryAfterMs, isFinal } = this;
    return new Refusal(status, code, message, headers, retryAfterMs, isFinal);
  }
}

/** Temporary errors of the service or its dependencies: the request may be tried again. */
type Passing =
  | "lease_lost"
  | "timeout"
  | "stopped"
  | "not_migrated"
  | "schema_too_new"
  | "database_locked"
  | "connection_lost"
  | "rolled_back"
  | "outcome_unknown"
  | "prepared_statement_lost";

/**
 * The status of each error that is not temporary; null for errors that the request did not cause.
 */
const STATUS_OF_ERROR: Readonly<Record<Exclude<ErrorCode, Passing>, number | null>> = {
  invalid_body: 400,
  invalid_header: 400,
  invalid_id: 400,
  invalid_name: 400,
  malformed_message: 400,
  too_large: 413,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  no_subscriber: 404,
  no_route: 404,
  id_conflict: 409,
  wrong_state: 409,
  fenced_off: 409,
  invalid_option: null,
  unreachable: null,
  duplicate_subscriber: null,
  transaction_ended: null,
  no_transaction: null,
  unsupported: null,
};

/** After how long a caller should retry while the service is unavailable, in milliseconds. */
const UNAVAILABLE_RETRY_MS = 5_000;

/** The refusal for a thrown value; null for an error that must not be shown to the caller. */
export function refusalOf(thrown: unknown): Refusal | null {
  if (isInstance(thrown, Refusal)) return thrown;
  if (!isInstance(thrown, AtlastError)) return null;
  const statuses: Partial<Record<ErrorCode, number | null>> = STATUS_OF_ERROR;
  const { [thrown.code]: status = 503 } = statuses;
  if (status === null) return null;
  // Errors of the service itself belong in its own log.
  if (status === 503) return unavailable(thrown.code, UNAVAILABLE_RETRY_MS);
  return new Refusal(status, thrown.code, thrown.message);
}

/**
 * The status of a message that is stored here as failed, such as one whose body does not fit its
 * contract. It must not be sent again.
 */
const STORED_AS_FAILED = 422;

/**
 * The status of the result of a message that was delivered alone.
 *
 * @param isPushed Whether a push provider delivers it, which retries after every other status than
 * a success.
 */
export function statusOf(result: DeliveryResult, isPushed: boolean): number {
  switch (result.kind) {
    case "handled":
      return 200;
    case "failed":
      return isPushed ? 200 : STORED_AS_FAILED;
    case "accepted":
      return 202;
    case "no_subscriber":
      return 404;
    case "refused":
      return 503;
    case "rejected":
      return NOT_RETRYABLE;
  }
}

/**
 * The status of a message that can never be accepted, whatever its class. No proxy uses this
 * status, so senders can rely on it.
 */
export const NOT_RETRYABLE = 489;

/**
 * The longest `Retry-After`, in seconds. Some senders ignore more than a day and use their own
 * schedule.
 */
const MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60;

/** A temporary refusal. Without `retryAfterMs`, the caller decides when to retry. */
export function unavailable(
  code: string,
  retryAfterMs: number | undefined,
  message = "Cannot take messages now: want them again later",
): Refusal {
  if (retryAfterMs === undefined) return new Refusal(503, code, message);
  // The header has whole seconds; the body has milliseconds.
  const seconds = Math.min(Math.ceil(Math.max(0, retryAfterMs) / 1000), MAX_RETRY_AFTER_SECONDS);
  return new Refusal(503, code, message, { "retry-after": String(seconds) }, retryAfterMs);
}

/** The status of a rejection by its class; all others have the status of {@linkcode never}. */
const STATUS_OF_REJECTION: Readonly<Partial<Record<FailureCode, number>>> = {
  malformed_message: 400,
  forbidden: 403,
  id_conflict: 409,
  too_large: 413,
  invalid_body: STORED_AS_FAILED,
};

/** The refusal of a message that was delivered alone and can never be accepted. */
export function rejection(
  { reason, code = "rejected", isPublisherNotified = false }:
    & DeliveryResult
    & { readonly kind: "rejected" },
): Refusal {
  return never(
    `Cannot take it at all: ${reason}`,
    code,
    isPublisherNotified,
    STATUS_OF_REJECTION[code],
  );
}

/**
 * A final refusal: the sender marks the message as failed.
 *
 * @param isPublisherNotified Whether the publisher was notified, if it requested that.
 */
export function never(
  message: string,
  code = "rejected",
  isPublisherNotified = false,
  status: number = NOT_RETRYABLE,
): Refusal {
  const headers: Record<string, string> = isPublisherNotified ? { [NOTIFIED_HEADER]: "true" } : {};
  return new Refusal(status, code, message, headers, undefined, true);
}
