/**
 * Values that hurt whoever reads them, as user code may throw or return them.
 *
 * @module
 */

/** Values by what is wrong with them; made anew each time. */
export function nastyValues(): Record<string, unknown> {
  const boom = () => {
    throw new Error("read");
  };
  const revoked = Proxy.revocable({}, {});
  const revokedError = Proxy.revocable(new Error("e"), {});
  const revokedFunction = Proxy.revocable(() => {}, {});
  for (const { revoke } of [revoked, revokedError, revokedFunction]) revoke();
  const traps = { get: boom, has: boom, getPrototypeOf: boom, ownKeys: boom };
  let reads = 0;
  return {
    "an error with a symbol for a message": Object.assign(new Error(), { message: Symbol("m") }),
    "an error with a symbol for a name": Object.assign(new Error("e"), { name: Symbol("n") }),
    "an error with an object for a message": Object.assign(new Error(), {
      message: { toString: boom },
    }),
    "an error without a prototype for a message": Object.assign(new Error(), {
      message: Object.create(null),
    }),
    "an error with getters that throw": Object.defineProperties(new Error(), {
      message: { get: boom },
      name: { get: boom },
      code: { get: boom },
      cause: { get: boom },
      stack: { get: boom },
    }),
    "an error whose message can be read once": Object.defineProperty(new Error(), "message", {
      get: () => reads++ === 0 ? "once" : boom(),
    }),
    "a revoked proxy": revoked.proxy,
    "a revoked proxy of an error": revokedError.proxy,
    "a revoked proxy of a function": revokedFunction.proxy,
    "a proxy whose every trap throws": new Proxy({}, traps),
    "a proxy of an error whose every trap throws": new Proxy(new Error("e"), traps),
    "an object without a prototype": Object.create(null),
    "an object that cannot become text": { toString: boom, [Symbol.toPrimitive]: boom },
    "an object whose tag throws": Object.defineProperty({}, Symbol.toStringTag, { get: boom }),
    "a symbol": Symbol("s"),
    "a bigint": 10n ** 400n,
    "nothing": undefined,
    "null": null,
    "NaN": NaN,
    "a function": () => {},
    "half of a surrogate pair": "\ud800",
    "a zero byte": new Error("a\0b"),
    "a text of a million characters": "x".repeat(1_000_000),
  };
}
