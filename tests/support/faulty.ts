/**
 * Any part of a bus, with calls that are lost at the exact step a test says.
 *
 * @module
 */

/** The names of the methods of a part. */
export type MethodOf<Part> = {
  [Name in keyof Part]: Part[Name] extends ((...args: never[]) => unknown) | undefined ? Name
    : never;
}[keyof Part];

/**
 * What is lost of a call: the `request`, so that it never takes effect, or the `answer`, after it did.
 * The caller sees the same in both cases.
 */
export type Loss = "request" | "answer";

/** The error a caller gets of a call that was lost. */
export class Lost extends Error {
  /** Makes the error; `what` is lost of which call. */
  constructor(what: Loss, method: PropertyKey) {
    super(`connection lost: the ${what} of ${String(method)}`);
  }
}

/** Which calls are lost. */
export interface Which {
  /** How many; one if not given. */
  readonly times?: number;
  /** Only calls with such a first argument; all if not given. */
  readonly of?: unknown;
}

/** A part with faults. */
export interface Faulty<Part extends object> {
  /** The part, as it is to be used. */
  readonly part: Part;
  /** Loses the next calls of a method. */
  lose(method: MethodOf<Part>, what: Loss, which?: Which): void;
  /** Loses nothing any more. */
  heal(): void;
  /** How many calls were lost. */
  readonly lost: number;
}

/** Wraps a part. */
export function faulty<Part extends object>(real: Part): Faulty<Part> {
  const faults = new Map<
    PropertyKey,
    { readonly what: Loss; times: number; readonly of: unknown }
  >();
  const state = { lost: 0 };
  const part = new Proxy(real, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const fault = faults.get(property);
        const isMeant = fault !== undefined && fault.times > 0 &&
          (fault.of === undefined || fault.of === args[0]);
        if (!isMeant) return value.apply(target, args);
        fault.times -= 1;
        state.lost += 1;
        return losing(property, fault.what, () => value.apply(target, args));
      };
    },
  });
  return {
    part,
    lose: (method, what, { times = 1, of } = {}) => void faults.set(method, { what, times, of }),
    heal: () => faults.clear(),
    get lost() {
      return state.lost;
    },
  };
}

async function losing(
  method: PropertyKey,
  what: Loss,
  call: () => Promise<unknown>,
): Promise<never> {
  if (what === "answer") await call();
  throw new Lost(what, method);
}
