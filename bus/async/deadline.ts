/**
 * Time limits, driven by the platform's clock or a test's: for one piece of work, for several in turn, and for
 * work that was aborted and should end soon.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";

/** A running limit. */
export interface TimeLimit {
  /** Aborts when the time is up, or when the outer signal does. */
  readonly signal: AbortSignal;
  /**
   * Does work unless the time is up, and leaves it alone once it is: what `work` comes to, or the reason
   * of the abort if that comes first.
   */
  race<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Ends the limit. */
  end(): void;
}

/** Starts a limit; `reason` makes the error it aborts with. */
export function timeLimit(
  clock: Clock,
  timeoutMs: number,
  outer: AbortSignalLike,
  reason: () => Error,
): TimeLimit {
  const controller = new AbortController();
  const abort = () => controller.abort(outer.reason);
  const cancel = clock.after(timeoutMs, () => controller.abort(reason()));
  if (outer.aborted) abort();
  else outer.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    race: (work) => unlessAborted(work, controller.signal),
    end() {
      cancel();
      outer.removeEventListener("abort", abort);
    },
  };
}

/**
 * Does work within a time.
 *
 * @param what What did not happen in time, for the error: `The fence did not answer`.
 * @param outer A signal whose abort ends the work too, with its reason; none if not given.
 * @throws {AtlastError} `timeout`; whatever the work itself throws passes through.
 */
export async function withinTime<Result>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
  outer: AbortSignalLike = new AbortController().signal,
): Promise<Result> {
  const limit = timeLimit(
    clock,
    timeoutMs,
    outer,
    () => new AtlastError("timeout", `${what} within ${timeoutMs} ms`),
  );
  try {
    return await limit.race(() => work(limit.signal));
  } finally {
    limit.end();
  }
}

/** A limit on the time of each of several pieces of work in turn, with one timer and one signal for all of them. */
export class TurnLimit {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #reason: () => Error;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort(this.#outer.reason);
  #untilMs = Infinity;
  #cancel: (() => void) | null = null;

  /** Starts a limit that also aborts with `outer`; `reason` makes the error it aborts with when a time is up. */
  constructor(clock: Clock, outer: AbortSignal, reason: () => Error) {
    this.#clock = clock;
    this.#outer = outer;
    this.#reason = reason;
    if (outer.aborted) this.#abort();
    else outer.addEventListener("abort", this.#abort, { once: true });
  }

  /** See {@linkcode TimeLimit.signal}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on the time of the next one counts. */
  begin(timeoutMs: number): void {
    this.#untilMs = this.#clock.now() + timeoutMs;
    if (this.#cancel === null) this.#arm(timeoutMs);
  }

  /** See {@linkcode TimeLimit.race}. */
  race<Result>(work: () => Promise<Result>): Promise<Result> {
    return unlessAborted(work, this.signal);
  }

  /** Ends the limit. */
  end(): void {
    this.#cancel?.();
    this.#outer.removeEventListener("abort", this.#abort);
  }

  /** A timer for each would cost more than a small handler does. */
  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      const leftMs = this.#untilMs - this.#clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      this.#controller.abort(this.#reason());
    });
  }
}

/** What `work` comes to, or the reason of the abort if that comes first; not begun once aborted. */
export function unlessAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => reject(signal.reason);
    const over = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop, { once: true });
    begun(work).then(
      (result) => {
        over();
        resolve(result);
      },
      (error) => {
        over();
        reject(error);
      },
    );
  });
}

/** Also for work that throws, or gives what is no promise, or one of another realm. */
async function begun<Result>(work: () => Promise<Result>): Promise<Result> {
  return await work();
}

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
