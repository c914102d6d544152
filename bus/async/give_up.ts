/**
 * Waiting for what may never end, such as a store that does not answer, until it is given up.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports/platform.ts";

/** How long what was aborted has to end, in milliseconds. */
export const ABORT_GRACE_MS = 5_000;

/** Waits for the steps of a stop; gives up some time after they were aborted. */
export class AbortedWait {
  /** Resolves when waiting is given up. */
  readonly #givenUp: Promise<void>;
  #isGivenUp = false;
  #end: () => void = () => {};

  /** Begins to count when `signal` aborts. */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#givenUp = new Promise((resolve) => {
      const count = () => {
        this.#end = clock.after(ABORT_GRACE_MS, () => {
          this.#isGivenUp = true;
          resolve();
        });
      };
      if (signal.aborted) return count();
      signal.addEventListener("abort", count, { once: true });
      this.#end = () => signal.removeEventListener("abort", count);
    });
  }

  /** Waits for a step until it ends or waiting is given up. */
  async for(step: Promise<unknown>): Promise<void> {
    if (!this.#isGivenUp) await Promise.race([step, this.#givenUp]);
    // Nobody waits for it any more, should it fail later.
    if (this.#isGivenUp) step.catch(() => {});
  }

  /** Ends counting; what was given up, as an error for the observer, or null. */
  end(): AtlastError | null {
    this.#end();
    if (!this.#isGivenUp) return null;
    return new AtlastError(
      "timeout",
      `Cannot end what is under way: the store or the transport did not answer within ${ABORT_GRACE_MS} ms ` +
        "after it was aborted; what was not settled is worked on again when its lease has run out",
    );
  }
}
