/**
 * A limit on how long something takes, which the platform's clock or a test's can drive.
 *
 * @module
 */
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
