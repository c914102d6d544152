import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { AtlastError, NonRetryable, RetryAfter } from "../../../core/errors.ts";
import { failureOf, MAX_REASON_LENGTH } from "../../../core/lifecycle/outcome.ts";
import {
  hasCode,
  isInstance,
  readableThrown,
  textOfThrown,
} from "../../../core/user_code/thrown.ts";
import { nastyValues } from "../../support/nasty.ts";
import { holds } from "../../support/property.ts";

/** Whatever is thrown has a failure with a reason that every store and header can hold. */
function isFailure(thrown: unknown): void {
  const { name, message } = textOfThrown(thrown);
  assert.equal(typeof name, "string");
  assert.equal(typeof message, "string");
  const failure = failureOf(thrown);
  assert.equal(failure.kind, "fail");
  assert.equal(typeof failure.reason, "string");
  assert.ok(failure.reason.length <= MAX_REASON_LENGTH && failure.reason.isWellFormed());
  assert.equal(typeof failure.retryable, "boolean");
  const { retryAfterMs = 0 } = failure;
  assert.ok(retryAfterMs >= 0);
}

describe("a thrown value", () => {
  for (const name of Object.keys(nastyValues())) {
    it(`that is ${name} is a failure`, () => {
      isFailure(nastyValues()[name]);
      isFailure(readableThrown(nastyValues()[name]));
      assert.equal(isInstance(nastyValues()[name], AtlastError), false);
      assert.equal(hasCode(nastyValues()[name], "timeout"), false);
    });

    it(`that has ${name} in its fields is a failure, and final if it was`, () => {
      const nasty = nastyValues()[name];
      for (
        const error of [
          new Error(),
          new RetryAfter(1),
          new NonRetryable(),
          new AtlastError("timeout", ""),
        ]
      ) {
        const fields = { message: nasty, name: nasty, code: nasty, retryAfterMs: nasty };
        for (const [key, value] of Object.entries(fields)) {
          Object.defineProperty(error, key, { value, configurable: true });
        }
        isFailure(error);
        const readable = readableThrown(error);
        isFailure(readable);
        assert.equal(failureOf(readable).retryable, !(error instanceof NonRetryable));
      }
    });
  }

  it("that gathers other errors has their texts", () => {
    const refused = new AggregateError([new Error("refused ::1"), "refused 127.0.0.1"]);
    assert.equal(textOfThrown(refused).message, "refused ::1; refused 127.0.0.1");
    const any = new AggregateError([new Error("one"), 2], "none worked");
    assert.equal(
      textOfThrown(any).message,
      "none worked: one; A value that is no Error was thrown: 2",
    );
    const many = new AggregateError(Array.from({ length: 9 }, (_, n) => `e${n}`), "all");
    assert.equal(textOfThrown(many).message, "all: e0; e1; e2; …");
    many.errors = [many];
    assert.equal(textOfThrown(many).message, "all: all");
    assert.equal(textOfThrown(new AggregateError([])).message, "");
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    many.errors = proxy;
    assert.equal(textOfThrown(many).message, "all");
  });

  it("of any kind is a failure", () => {
    const anything = fc.anything({
      withBigInt: true,
      withNullPrototype: true,
      withObjectString: true,
      withSparseArray: true,
      withDate: true,
      withMap: true,
      withTypedArray: true,
    });
    holds(fc.property(anything, anything, anything, (value, name, message) => {
      isFailure(value);
      isFailure(Object.assign(new Error(), { name, message }));
    }));
  });

  it("that is an ordinary error goes through as it is", () => {
    for (
      const error of [
        new Error("a"),
        new RetryAfter(1),
        new AtlastError("timeout", "b"),
        "text",
        null,
      ]
    ) {
      assert.equal(readableThrown(error), error);
    }
    assert.equal(failureOf(new RetryAfter(7)).retryAfterMs, 7);
  });
});
