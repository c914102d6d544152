/**
 * The body of a failure callback.
 *
 * @module
 */
import type { Schema, SchemaIssue } from "../../core/message/contract.ts";
import {
  type FailureCode,
  failureText,
  readFailureCode,
} from "../../core/lifecycle/failure_code.ts";
import type { LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";

/** The body of a failure callback. */
export interface FailureReport {
  /** The id of the message that failed. */
  readonly messageId: string;
  /** Its name. */
  readonly name: string;
  /** The group that could not handle it; the empty string when it could not be sent. */
  readonly group: string;
  /** The class of the failure; `unknown` if a service of another version does not send it. */
  readonly code: FailureCode;
  /**
   * The meaning of the class, as a fixed text. If the service that failed has `failureDetail:
   * "reason"`, the error text of the last attempt.
   */
  readonly reason: string;
  /** How many attempts were made. */
  readonly attempts: number;
  /**
   * Which final failure of the message this is: 1, and one more after each retry by an operator.
   */
  readonly round: number;
  /**
   * Whether the message may have taken effect nevertheless, because an attempt to send it got no
   * answer, or one that does not rule it out (such as 400 or 500 of a service that is no Atlast
   * service), or a worker died while handling it. Do not compensate blindly then. Omitted if that is
   * not so, and by versions that cannot tell.
   */
  readonly mayHaveArrived?: boolean;
}

/** How much of a failure another party gets: its class, or also the error text. */
export type FailureDetail = "class" | "reason";

/** The reason of a failure as another party gets it. */
export function reportedReason(
  detail: FailureDetail,
  code: FailureCode,
  reason: string | null,
): string {
  return detail === "reason" && reason !== null ? reason : failureText(code);
}

/** The class of the event that made a message fail for good. */
export function failureCodeOf(event: LifecycleEvent, box: "outbox" | "inbox"): FailureCode {
  switch (event.kind) {
    case "fail":
      if (event.code !== undefined) return event.code;
      if (box === "inbox") return "handler_failed";
      return event.retryable ? "send_failed" : "rejected";
    case "crash_limit":
      return "crash_limit";
    case "deadline_exceeded":
      return "deadline_exceeded";
    case "dead_letter":
      return "dead_lettered";
    case "unroutable":
    case "stopping":
      return event.kind;
    default:
      return "unknown";
  }
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
      const { code, round, mayHaveArrived } = fields;
      if (mayHaveArrived !== undefined && typeof mayHaveArrived !== "boolean") {
        issues.push({ message: "Expected boolean", path: ["mayHaveArrived"] });
      }
      if (issues.length > 0) return { issues };
      return {
        value: {
          ...fields,
          code: readFailureCode(code) ?? "unknown",
          round: Number.isSafeInteger(round) && round as number > 0 ? round : 1,
        } as FailureReport,
      };
    },
  },
};

function isA(type: string, value: unknown): boolean {
  const actual: string = typeof value;
  return actual === type;
}
