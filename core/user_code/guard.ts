/**
 * Calls user code whose result is not needed, such as an observer. What it throws is caught.
 *
 * @module
 */

/**
 * Calls it. What it throws, or what the promise it gives rejects with, goes to `onError` and no further: a
 * promise that rejects where nobody listens would end the process. Any object with a method `then` is taken
 * for a promise, so that promises of another realm count too.
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

/** Has a value that was not to be a promise hurt nobody if it is one, and rejects. */
export function ignoreRejection(value: unknown): void {
  callGuarded(() => value);
}

function ignore(): void {}
