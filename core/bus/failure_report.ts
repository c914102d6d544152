/**
 * What a failure callback says.
 *
 * @module
 */
import type { Schema, SchemaIssue } from "../contract.ts";

/** The body of a failure callback. */
export interface FailureReport {
  /** The id of the message that failed. */
  readonly messageId: string;
  /** Its name. */
  readonly name: string;
  /** The group that could not handle it; the empty string when it could not even be sent. */
  readonly group: string;
  /** Why the last attempt failed. */
  readonly reason: string;
  /** How many attempts were made. */
  readonly attempts: number;
  /**
   * Whether the message may have taken effect all the same: an attempt to send it got no answer, or a worker died
   * with it. Do not compensate blindly then. Not given where that is not so, and by versions that cannot tell.
   */
  readonly mayHaveArrived?: boolean;
}

const FIELDS = {
  messageId: "string",
  name: "string",
  group: "string",
  reason: "string",
  attempts: "number",
};

/**
 * The schema of a {@linkcode FailureReport}, for the contract of a failure callback.
 *
 * @example
 * ```ts
 * import { defineMessage, failureReport } from "@atlast/bus";
 *
 * const OrderStuck = defineMessage("order.stuck", { body: failureReport });
 * ```
 */
export const failureReport: Schema<FailureReport> = {
  "~standard": {
    version: 1,
    vendor: "atlast",
    validate(value) {
      const fields: Record<string, unknown> = typeof value === "object" && value !== null
        ? { ...value }
        : {};
      const issues: SchemaIssue[] = Object.entries(FIELDS)
        .filter(([field, type]) => !isA(type, fields[field]))
        .map(([field, type]) => ({ message: `Expected ${type}`, path: [field] }));
      const { mayHaveArrived } = fields;
      if (mayHaveArrived !== undefined && typeof mayHaveArrived !== "boolean") {
        issues.push({ message: "Expected boolean", path: ["mayHaveArrived"] });
      }
      return issues.length > 0 ? { issues } : { value: value as FailureReport };
    },
  },
};

function isA(type: string, value: unknown): boolean {
  const actual: string = typeof value;
  return actual === type;
}
