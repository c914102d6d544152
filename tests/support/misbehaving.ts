/**
 * Ways in which user code misbehaves.
 *
 * @module
 */
import { runInNewContext } from "node:vm";

/** What misbehaves, by how. */
export const MISBEHAVIOURS: Readonly<Record<string, () => unknown>> = {
  "throws": () => {
    throw new Error("user code threw");
  },
  "throws a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    throw proxy;
  },
  "rejects": () => Promise.reject(new Error("user code rejected")),
  "rejects with a promise of another realm": () =>
    runInNewContext("Promise.reject(new Error('another realm'))"),
  "gives a thenable that throws": () => ({
    then() {
      throw new Error("then");
    },
  }),
  "gives an object whose then cannot be read": () =>
    Object.defineProperty({}, "then", {
      get() {
        throw new Error("get then");
      },
    }),
  "gives undefined": () => undefined,
  "gives a promise of undefined": () => Promise.resolve(undefined),
  "gives null": () => null,
  "gives NaN": () => NaN,
  "gives a promise of NaN": () => Promise.resolve(NaN),
  "gives a number below zero": () => -1,
  "gives text": () => "nonsense",
  "gives an empty list": () => [],
  "gives a list of nonsense": () => [undefined, null, {}, "x"],
  "gives an object": () => ({ kind: Symbol("k"), id: 1, added: "yes" }),
  "gives a promise of a revoked proxy": () => Promise.resolve(revoked()),
  "gives a promise of a list of revoked proxies": () => Promise.resolve([revoked(), revoked()]),
  "gives a promise of what cannot be read": () => Promise.resolve(unreadable()),
  "gives a promise of a list of what cannot be read": () =>
    Promise.resolve([unreadable(), unreadable()]),
  "gives what cannot be read": () => unreadable(),
};

/** A proxy whose target is gone; in a list, as a promise of one rejects at once. */
function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** An object every field of which throws, but for `then`. */
function unreadable(): unknown {
  return new Proxy({}, {
    get(_, key) {
      if (key === "then") return undefined;
      throw new Error(`field ${String(key)} cannot be read`);
    },
  });
}

/** A switch for things that misbehave. */
export class Switch {
  isOn = true;
  /** How often what is broken was called while it was on. */
  calls = 0;
  readonly #misbehave: () => unknown;

  constructor(misbehave: () => unknown) {
    this.#misbehave = misbehave;
  }

  /** The function while the switch is off; misbehaves while it is on. */
  // deno-lint-ignore no-explicit-any -- it stands for a function of any kind.
  breaking(work: (...args: any[]) => unknown): (...args: any[]) => any {
    return (...args) => {
      if (!this.isOn) return work(...args);
      this.calls++;
      return this.#misbehave();
    };
  }

  /** The object itself, one method of which misbehaves while the switch is on. */
  in<Target extends object>(target: Target, method: keyof Target): Target {
    const broken = this.breaking((...args) => {
      const work = target[method];
      if (typeof work === "function") return work.apply(target, args);
    });
    return new Proxy(target, {
      get(of, key) {
        if (key === method) return broken;
        const value: unknown = Reflect.get(of, key, of);
        return typeof value === "function" ? value.bind(of) : value;
      },
    });
  }
}
