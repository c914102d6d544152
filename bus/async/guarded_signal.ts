/**
 * Abort signals for user code: a listener that throws does not end the process.
 *
 * @module
 */
import { callGuarded } from "../../core/user_code/guard.ts";

type Listener = EventListenerOrEventListenerObject | null;

/**
 * Returns the same signal, with listeners guarded from now on: what a listener throws or rejects
 * with is ignored. Platforms report it as an uncaught error, which ends the process.
 */
export function guardListeners(signal: AbortSignal): AbortSignal {
  if (Object.hasOwn(signal, "addEventListener")) return signal;
  const guarded = new WeakMap<object, EventListener>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  const guard = (listener: Listener): Listener => {
    if (listener === null || (typeof listener !== "object" && typeof listener !== "function")) {
      return listener;
    }
    const known = guarded.get(listener);
    if (known !== undefined) return known;
    const made: EventListener = (event) =>
      callGuarded(() =>
        typeof listener === "function" ? listener.call(signal, event) : listener.handleEvent(event)
      );
    guarded.set(listener, made);
    return made;
  };
  return Object.assign(signal, {
    addEventListener: (type: string, listener: Listener, options?: AddEventListenerOptions) =>
      add(type, guard(listener) as EventListener, options),
    removeEventListener: (type: string, listener: Listener, options?: EventListenerOptions) =>
      remove(type, guard(listener) as EventListener, options),
  });
}
