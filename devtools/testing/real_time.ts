/**
 * Real time, for waits that the virtual clock does not end.
 *
 * @module
 */

// Read when the module loads, before a test replaces the timers by fakes.
const { setTimeout: setTimer, clearTimeout: clearTimer } = globalThis;

/** Resolves in a later turn of the event loop, so that timers and input of the process get theirs. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimer(resolve, 0);
  });
}

/** Resolves to true when `work` has ended, to false when `ms` milliseconds have passed before. Rejects as `work` does. */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimer> | undefined;
  const isUp = new Promise<false>((resolve) => {
    timer = setTimer(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), isUp]);
  } finally {
    clearTimer(timer);
  }
}
