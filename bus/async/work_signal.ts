/**
 * The abort of one piece of work among many that all end with one outer signal. An `AbortSignal` of its own for each
 * costs more than a small handler.
 *
 * @module
 */
import type { AbortSignalLike } from "../../core/ports/platform.ts";

/** The work that ends with each outer signal. One listener on that serves all of it. */
const followers = new WeakMap<AbortSignal, Set<WorkSignal>>();

/** Aborts when the outer signal does, or by itself. */
export class WorkSignal implements AbortSignalLike {
  readonly #followers: Set<WorkSignal>;
  #listeners: (() => void)[] | null = null;
  #isAborted = false;
  #reason: unknown;

  /** Follows a signal until {@linkcode WorkSignal.release}. */
  constructor(outer: AbortSignal) {
    let all = followers.get(outer);
    if (all === undefined) {
      const mine = new Set<WorkSignal>();
      followers.set(outer, all = mine);
      outer.addEventListener("abort", () => {
        for (const each of [...mine]) each.abort(outer.reason);
      }, { once: true });
    }
    this.#followers = all;
    all.add(this);
    if (outer.aborted) this.abort(outer.reason);
  }

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** Aborts the work. */
  abort(reason: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = null;
    for (const listener of listeners ?? []) listener();
  }

  addEventListener(_type: "abort", listener: () => void): void {
    // There is one, or few.
    if (this.#listeners === null) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const index = this.#listeners?.indexOf(listener) ?? -1;
    if (index >= 0) this.#listeners?.splice(index, 1);
  }

  /** Called when the work has ended. */
  release(): void {
    this.#followers.delete(this);
  }
}
