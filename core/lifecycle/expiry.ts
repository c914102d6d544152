/**
 * How long settled messages are kept.
 *
 * @module
 */
import { aNumber, checkOptions, MILLISECONDS, type OptionCheck, orNull } from "../check_options.ts";
import { later } from "./retry.ts";

const DAY_MS = 24 * 60 * 60_000;

/** How long messages are kept after they settle. Unsettled messages never expire. */
export interface ExpiryPolicy {
  /** After success, in milliseconds; null keeps them for ever. */
  readonly succeededMs: number | null;
  /** After failure, in milliseconds; null keeps them for ever. */
  readonly failedMs: number | null;
  /** After cancellation, in milliseconds; null keeps them for ever. */
  readonly cancelledMs: number | null;
}

/**
 * CAP's default: a success is kept for 1 day, a failure for 15 days. A cancellation is kept like a
 * success.
 */
export const DEFAULT_EXPIRY: ExpiryPolicy = {
  succeededMs: DAY_MS,
  failedMs: 15 * DAY_MS,
  cancelledMs: DAY_MS,
};

/** When a message settled at `nowMs` and kept for `retentionMs` expires; null means never. */
export function expiresAt(nowMs: number, retentionMs: number | null): number | null {
  return retentionMs === null ? null : later(nowMs, retentionMs);
}

/**
 * Checks a policy when it is defined.
 *
 * @throws {AtlastError} `invalid_option`, which names the field.
 */
export function checkExpiryPolicy(policy: ExpiryPolicy): void {
  checkOptions("use expiry with", policy, EXPIRY);
}

const RETENTION = orNull(aNumber({ ...MILLISECONDS, or: ", or null for never" }));

const EXPIRY: Readonly<Record<keyof ExpiryPolicy, OptionCheck>> = {
  succeededMs: RETENTION,
  failedMs: RETENTION,
  cancelledMs: RETENTION,
};
