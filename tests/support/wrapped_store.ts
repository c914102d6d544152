/**
 * A store whose calls a test counts, fails, or holds up.
 *
 * @module
 */
import type { Store, StoreHints } from "../../core/ports/store.ts";

/** A method of a store. */
export type StoreMethod = Exclude<keyof Store, "capabilities" | "hints"> | keyof StoreHints;

/** Stands around each call; `call` does what was asked for, with other arguments if it is given some. */
export type Around = (
  method: StoreMethod,
  call: (instead?: readonly unknown[]) => Promise<unknown>,
  args: readonly unknown[],
) => Promise<unknown>;

/** A wrapped store. */
export interface WrappedStore<Tx> {
  readonly store: Store<Tx>;
  /** How often each method was called. */
  readonly calls: Map<StoreMethod, number>;
  /** What stands around calls from here on; nothing at first. */
  around: Around;
}

/** What answers at once, and reaches nothing that could fail. */
const AT_ONCE: ReadonlySet<string | symbol> = new Set(["joining", "failureOf"]);

/** Wraps a store. */
export function wrapped<Tx>(store: Store<Tx>): WrappedStore<Tx> {
  const wrapping: WrappedStore<Tx> = {
    calls: new Map(),
    around: (_method, call) => call(),
    store: counting(store),
  };
  return wrapping;

  /** The methods of the store, and those of its hints, with what stands around them. */
  function counting<Part extends object>(part: Part): Part {
    return new Proxy(part, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (property === "hints" && value !== undefined) return counting(value as object);
        if (typeof value !== "function") return value;
        if (AT_ONCE.has(property)) return value.bind(target);
        const method = property as StoreMethod;
        return (...args: unknown[]) => {
          wrapping.calls.set(method, (wrapping.calls.get(method) ?? 0) + 1);
          const call = async (instead: readonly unknown[] = args): Promise<unknown> =>
            await value.apply(target, instead);
          return wrapping.around(method, call, args);
        };
      },
    });
  }
}
