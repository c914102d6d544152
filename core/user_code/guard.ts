/**
 * Calls user code whose result is not needed, such as an observer. What it throws is caught.
 *
 * @module
 */

/**
 * Calls a function. An error that it throws, or that its promise rejects with, goes to `onError`:
 * an unhandled rejection would end the process. Any object with a method `then` counts as a
 * promise, including promises of another realm.
 */
export function callGuarded(
  call: () => unknown,
  onError: (error: unknown) => void = ignore,
): void {
  try {
    const result = call();
    if ((typeof result !== "object" || result === null) && typeof result !== "function") return;
    const { then } = result as { then?: unknown };
    if (typeof then === "function") then.call(result, ignore, onError);
  } catch (error) {
    onError(error);
  }
}

/** Ignores the rejection of a value that should not be a promise, but may be one. */
export function ignoreRejection(value: unknown): void {
  callGuarded(() => value);
}

function ignore(): void {}
