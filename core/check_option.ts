/**
 * Checks options and policy fields that are numbers.
 *
 * @module
 */
import { AtlastError } from "./errors.ts";

/** Which numbers are allowed. */
export interface Allowed {
  /** Whether it must be a whole number. */
  readonly whole?: boolean;
  /**
   * The unit for the error text, such as `milliseconds`.
   *
   * @default "a number" or "a whole number"
   */
  readonly unit?: string;
  /**
   * The least allowed value.
   *
   * @default anything above zero
   */
  readonly least?: number;
  /**
   * The greatest allowed value; Infinity if Infinity itself is allowed.
   *
   * @default any finite number
   */
  readonly most?: number;
  /** What is allowed besides numbers, for the error text: `, or null for never`. */
  readonly or?: string;
}

/**
 * Checks a number.
 *
 * @param attempt What was attempted, for the error text: `make a bus with`.
 * @throws {AtlastError} `invalid_option` with what was attempted, the value, and what is allowed.
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
