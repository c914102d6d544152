/**
 * HTTP statuses: the only place that assigns them to errors and results.
 *
 * @module
 */
import { AtlastError, type ErrorCode } from "../../core/errors.ts";
import type { FailureCode } from "../../core/lifecycle/failure_code.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import { NOTIFIED_HEADER } from "../../core/wire/redelivery.ts";
import { isInstance } from "../../core/user_code/thrown.ts";

/** A request that is refused, with all that its answer says. */
export class Refusal extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** What kind of refusal it is. */
  readonly code: string;
  /** Further HTTP headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** When to come again, in milliseconds from now; undefined when that is all the same. */
  readonly retryAfterMs: number | undefined;
  /** Whether the same would be refused each time, which an answer to a delivery says to its sender. */
  readonly isFinal: boolean;

  /** Makes a refusal; the message is shown to the caller. */
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

/** Errors of the service, or of what it depends on, that pass: the request may come again. */
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

/** The status of each error but those that pass; null for one that says nothing of the request. */
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

/** How long a service that cannot take messages now asks to be left alone, in milliseconds. */
const UNAVAILABLE_RETRY_MS = 5_000;

/** The refusal that a thrown value stands for; null for one that is nobody's business outside. */
export function refusalOf(thrown: unknown): Refusal | null {
  if (isInstance(thrown, Refusal)) return thrown;
  if (!isInstance(thrown, AtlastError)) return null;
  const statuses: Partial<Record<ErrorCode, number | null>> = STATUS_OF_ERROR;
  const { [thrown.code]: status = 503 } = statuses;
  if (status === null) return null;
  // What ails the service itself is for its own log.
  if (status === 503) return unavailable(thrown.code, UNAVAILABLE_RETRY_MS);
  return new Refusal(status, thrown.code, thrown.message);
}

/** The status of what became of a message that came alone. */
export function statusOf(result: DeliveryResult): number {
  switch (result.kind) {
    case "handled":
    // It is stored as failed: it is ours now, and must not come again.
    case "failed":
      return 200;
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
 * The status of a message that can never be taken, whatever its class. No server on the way gives it, so that
 * senders can rely on it.
 */
export const NOT_RETRYABLE = 489;

/**
 * The longest wait that is asked for, in seconds: there are senders that take no notice of one of more than a
 * day, and come back by a schedule of their own.
 */
const MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60;

/** A refusal for now; without `retryAfterMs` it is up to the caller when to come again. */
export function unavailable(
  code: string,
  retryAfterMs: number | undefined,
  message = "Cannot take messages now: want them again later",
): Refusal {
  if (retryAfterMs === undefined) return new Refusal(503, code, message);
  // The header knows only whole seconds; the body says it to the millisecond.
  const seconds = Math.min(Math.ceil(Math.max(0, retryAfterMs) / 1000), MAX_RETRY_AFTER_SECONDS);
  return new Refusal(503, code, message, { "retry-after": String(seconds) }, retryAfterMs);
}

/** The status of a rejection by its class; all others have that of {@linkcode never}. */
const STATUS_OF_REJECTION: Readonly<Partial<Record<FailureCode, number>>> = {
  malformed_message: 400,
  forbidden: 403,
  id_conflict: 409,
};

/** The refusal of a message that came alone and can never be taken. */
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
 * A refusal for good: the sender keeps the message as failed.
 *
 * @param isPublisherNotified Whether the publisher has had word of it, if it asked for one.
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
