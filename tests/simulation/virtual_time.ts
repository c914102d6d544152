/**
 * Time of a simulation: it stands still while anything can run, and then jumps to the next timer.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { Heap, type HeapEntry } from "../../adapters/memory/heap.ts";
import { NOW_MS } from "../support/manual_clock.ts";

interface Timer extends HeapEntry {
  readonly wake: () => void;
}

/**
 * Deno's own function that runs all microtasks at once, where it can be reached. Otherwise each timer waits for a turn of
 * the event loop.
 */
const RUN_MICROTASKS = internalsOfDeno()?.core?.runMicrotasks;

function internalsOfDeno():
  | { readonly core?: { readonly runMicrotasks?: () => void } }
  | undefined {
  const deno: unknown = Reflect.get(globalThis, "Deno");
  if (typeof deno !== "object" || deno === null) return undefined;
  return Reflect.get(deno, Reflect.get(deno, "internal"));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** The time that all clocks of a simulation follow. */
export class VirtualTime {
  #nowMs = NOW_MS;
  /** Of those for the same time the one first that was set first. */
  readonly #timers = new Heap<Timer>();
  #set = 0;

  /** Unix time in milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `wake` after so many milliseconds, unless the returned function is called before. */
  after(delayMs: number, wake: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const timer: Timer = { atMs, sequence: this.#set++, index: 0, wake };
    this.#timers.add(timer);
    return () => this.#remove(timer);
  }

  /** Resolves after so many milliseconds. */
  pause(ms: number): Promise<void> {
    return new Promise<void>((resolve) => void this.after(ms, resolve));
  }

  /** Lets everything happen that happens in the next `ms` milliseconds. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    if (RUN_MICROTASKS === undefined) {
      // All microtasks run before this does, and nothing in a simulation waits for anything else.
      do await nextTurn(); while (this.#wakeNext(untilMs));
    } else {
      await new Promise<void>((resolve, reject) =>
        void setImmediate(() => {
          try {
            do RUN_MICROTASKS(); while (this.#wakeNext(untilMs));
            resolve();
          } catch (error) {
            reject(error);
          }
        })
      );
    }
    this.#nowMs = untilMs;
  }

  /** Wakes the first whose time comes until then; false if there is none. */
  #wakeNext(untilMs: number): boolean {
    const timer = this.#timers.first;
    if (timer === undefined || timer.atMs > untilMs) return false;
    this.#remove(timer);
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    timer.wake();
    return true;
  }

  #remove(timer: Timer): void {
    if (timer.index < 0) return;
    this.#timers.remove(timer);
    timer.index = -1;
  }
}
