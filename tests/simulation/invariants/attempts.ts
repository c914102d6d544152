/**
 * What must hold for attempts: each that ended is counted once, and none follows a failure that is final.
 *
 * @module
 */
import type { EventKind } from "../../../core/lifecycle/lifecycle.ts";
import { keyText } from "../ledger.ts";
import type { Invariant } from "./invariant.ts";

/** The events that end an attempt. A receiver that stops for long counts as one too. */
const ENDS: ReadonlySet<EventKind> = new Set(["succeed", "fail", "stopping"]);

/** A record counts the attempts that ended, and no others. */
export const attempts: Invariant = {
  name: "attempts",
  changed({ event, before, after }, _entry, _world, fail) {
    if (event === null || before === null || after === null || event === "retry") return;
    const counted = after.attempts - before.attempts;
    const isRight = event === "succeed"
      ? counted === 1
      : counted === 0 || (counted === 1 && ENDS.has(event));
    if (!isRight) fail(`${keyText(after)} counts ${counted} attempts for ${event}`);
  },
  atEnd({ services, ledger }, fail) {
    for (const { name, claims } of services) {
      for (const { record } of ledger.of(name, "inbox")) {
        const begun = claims.begunOf(record);
        if (record.attempts > begun) {
          fail(`${keyText(record)} counts ${record.attempts} attempts, and ${begun} were begun`);
        }
      }
    }
  },
};

/** A failure that is not retryable is the last attempt. */
export const lastAttempts: Invariant = {
  name: "last attempts",
  changed({ event, after }, _entry, _world, fail) {
    if (event !== "fail" || after === null || after.state !== "scheduled") return;
    if (after.reason?.includes("poison")) fail(`${keyText(after)} is poison and is tried again`);
  },
};
