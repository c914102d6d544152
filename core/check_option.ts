/**
 * Checks a number that is an option or a field of a policy.
 *
 * @module
 */
import { AtlastError } from "./errors.ts";

/** Which numbers are allowed. */
export interface Allowed {
  /** Whether it must be a whole number. */
  readonly whole?: boolean;
  /** What it is, for the error: `milliseconds`; a number or a whole number if not given. */
  readonly unit?: string;
  /** The least that it may be; anything above zero if not given. */
  readonly least?: number;
  /** The most that it may be; Infinity where that is allowed too, and any finite number if not given. */
  readonly most?: number;
  /** What is allowed beside numbers, for the error: `, or null for never`. */
  readonly or?: string;
}

/**
 * Checks a number.
 *
 * @param attempt What was attempted, for the error, up to the option: `make a bus with`.
 * @throws {AtlastError} `invalid_option` that says what was attempted, what was given, and what is allowed.
 */
export function checkNumber(
  option: string,
  value: number,
  { whole, unit, least, most = Number.MAX_VALUE, or = "" }: Allowed = {},
  attempt: string = "use",
): number {
  const isInRange = (least === undefined ? value > 0 : value >= least) && value <= most;
  if (typeof value === "number" && isInRange && (!whole || Number.isInteger(value))) return value;
  const kind = unit ?? `a ${whole ? "whole " : ""}number`;
  const end = most < Number.MAX_SAFE_INTEGER ? `to ${most}` : "on";
  const range = least === undefined ? "above zero" : `from ${least} ${end}`;
  throw new AtlastError(
    "invalid_option",
    `Cannot ${attempt} ${option} ${value}: want ${kind} ${range}${or}`,
  );
}
