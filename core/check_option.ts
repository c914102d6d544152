/**
 * Checks the value of one option.
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
  value: unknown,
  { whole, unit, least, most = Number.MAX_VALUE, or = "" }: Allowed = {},
  attempt: string = "use",
): number {
  if (typeof value === "number") {
    const isInRange = (least === undefined ? value > 0 : value >= least) && value <= most;
    if (isInRange && (!whole || Number.isInteger(value))) return value;
  }
  const kind = unit ?? `a ${whole ? "whole " : ""}number`;
  const end = most < Number.MAX_SAFE_INTEGER ? `to ${most}` : "on";
  const range = least === undefined ? "above zero" : `from ${least} ${end}`;
  throw optionError(attempt, option, value, `${kind} ${range}${or}`);
}

/** The error for an option with a value that it does not allow. */
export function optionError(
  attempt: string,
  option: string,
  value: unknown,
  want: string,
): AtlastError {
  return new AtlastError(
    "invalid_option",
    `Cannot ${attempt} ${option} ${described(value)}: want ${want}`,
  );
}

/** The longest part of a text in an error, in characters. */
const MAX_SHOWN = 60;

/** A value for an error text: a short one as JavaScript writes it, otherwise its type. Never throws. */
export function described(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
    case "bigint":
      return `${String(value).slice(0, MAX_SHOWN)}n`;
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    default:
      return value === null ? "null" : `of type ${typeName(value)}`;
  }
}

/** The type of a value for an error text: `array`, `Date`, `Map`, `function`, `null`, `object`. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  try {
    if (Array.isArray(value)) return "array";
    const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
    return tag !== "Object" && /^\w{1,40}$/.test(tag) ? tag : "object";
  } catch {
    return "object";
  }
}
