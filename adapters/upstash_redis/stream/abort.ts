/**
 * Awaits work until it is done or a signal aborts.
 *
 * @module
 */
import type { AbortSignalLike } from "../../../core/ports/platform.ts";

/** The result of `work`, or the reason of the abort if that is first. If already aborted, `work` does not start. */
export async function unlessAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignalLike,
): Promise<Result> {
  if (signal.aborted) throw signal.reason;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => stop = () => reject(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
