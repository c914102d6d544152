/**
 * Time limits for the official client, which supports neither signals nor timeouts.
 *
 * @module
 */
import type { AbortSignalLike } from "../../core/ports/platform.ts";

/** How a wait ended. */
export type Waited<Result> =
  | { readonly kind: "answered"; readonly result: Result }
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "timed_out" }
  | { readonly kind: "stopped" };

/** Waits for `work`, until its time is up or the signal aborts. Never rejects, and removes its listeners. */
export async function waited<Result>(
  work: () => Promise<Result>,
  timeoutMs: number,
  signal: AbortSignalLike | null = null,
): Promise<Waited<Result>> {
  if (signal?.aborted) return { kind: "stopped" };
  return await new Promise((resolve) => {
    const end = (waited: Waited<Result>) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      resolve(waited);
    };
    const stop = () => end({ kind: "stopped" });
    const timer = setTimeout(() => end({ kind: "timed_out" }), timeoutMs);
    signal?.addEventListener("abort", stop, { once: true });
    Promise.resolve().then(work).then(
      (result) => end({ kind: "answered", result }),
      (error) => end({ kind: "threw", error }),
    );
  });
}
