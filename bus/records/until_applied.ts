/**
 * Changing a record that others may change too: look, take a step, and look again where somebody was faster.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** More often than others can be faster in a row. A store that never applies a change must not keep us busy. */
const MAX_LOOKS = 100;

/**
 * Looks and takes a step until it is done.
 *
 * @param what What is done, for the error: `cancel message "order-7"`.
 * @param look Gives undefined where the step was not applied, because the record changed since the look.
 * @throws {AtlastError} `timeout` when no step was applied in {@linkcode MAX_LOOKS} looks.
 */
export async function untilApplied<Result>(
  what: string,
  look: () => Promise<Result | undefined>,
): Promise<Result> {
  for (let i = 0; i < MAX_LOOKS; i++) {
    const result = await look();
    if (result !== undefined) return result;
  }
  throw new AtlastError(
    "timeout",
    `Cannot ${what}: the store applied none of ${MAX_LOOKS} changes, want a store that applies one to a ` +
      "record that nobody else changes",
  );
}
