import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import {
  AnswerConflict,
  AtlastError,
  ContractError,
  NonRetryable,
  RetryAfter,
} from "../../../core/errors.ts";
import { failureOf, MAX_REASON_LENGTH, reasonOf } from "../../../core/lifecycle/outcome.ts";

describe("what a thrown value means", () => {
  const table: readonly (readonly [unknown, string, boolean])[] = [
    [new Error("down"), "Error-->down", true],
    [new TypeError("no such thing"), "TypeError-->no such thing", true],
    ["just words", "Error-->just words", true],
    [undefined, "Error-->A value that is no Error was thrown: undefined", true],
    [404, "Error-->A value that is no Error was thrown: 404", true],
    [5n, "Error-->A value that is no Error was thrown: 5n", true],
    [Symbol("s"), "Error-->A value that is no Error was thrown: Symbol(s)", true],
    [{}, "Error-->A value that is no Error was thrown: of type object", true],
    [
      { status: 503, code: "busy", more: { secret: 1 } },
      'Error-->A value that is no Error was thrown: { status: 503, code: "busy", more: of type object }',
      true,
    ],
    [{ message: "from a library", code: 7 }, "Error-->from a library", true],
    [{ name: "Fault", message: "typed" }, "Fault-->typed", true],
    [runInNewContext("new RangeError('another realm')"), "RangeError-->another realm", true],
    [
      runInNewContext(
        "class Own extends Error { get [Symbol.toStringTag]() { return 'Own'; } }; new Own('tagged')",
      ),
      "Error-->tagged",
      true,
    ],
    [new AtlastError("timeout", "took too long"), "AtlastError-->took too long", true],
    [new NonRetryable("never"), "NonRetryable-->never", false],
    [new AtlastError("too_large", "big"), "AtlastError-->big", false],
    [
      new ContractError("body of x", [{ path: "a[0].b", message: "want a number" }]),
      "ContractError-->Cannot accept the body of x: want what its schema takes at a[0].b",
      false,
    ],
  ];
  for (const [thrown, reason, retryable] of table) {
    it(`${reason} is ${retryable ? "tried again" : "final"}`, () => {
      const { code, ...failure } = failureOf(thrown);
      assert.deepEqual(failure, { kind: "fail", reason, retryable });
      const isTimeout = thrown instanceof AtlastError && thrown.code === "timeout";
      assert.equal(code, isTimeout ? "timed_out" : "handler_failed");
    });
  }

  it("is told apart by whether the body was read", () => {
    const problems = [{ path: "n", message: "wrong" }];
    const table = [
      [new ContractError("body of x", problems), "invalid_body", false],
      [new AtlastError("invalid_name", "no name"), "malformed_message", false],
      [new AtlastError("forbidden", "no callback"), "forbidden", false],
      [new AtlastError("timeout", "too long"), "timed_out", true],
      [new Error("a schema that throws"), "handler_failed", true],
    ] as const;
    for (const [thrown, code, retryable] of table) {
      const { reason: _, ...unread } = failureOf(thrown, false);
      assert.deepEqual(unread, { kind: "fail", code, retryable });
    }
    // The same of a handler is a failure of its own.
    assert.equal(failureOf(new AtlastError("forbidden", "no"), true).code, "handler_failed");
    assert.equal(failureOf(new AtlastError("forbidden", "no"), true).retryable, true);
    const { code, retryable } = failureOf(new AnswerConflict("order.marked", "a"));
    assert.deepEqual([code, retryable], ["id_conflict", false]);
  });

  it("RetryAfter says when", () => {
    assert.deepEqual(failureOf(new RetryAfter(5000, "busy")), {
      kind: "fail",
      reason: "RetryAfter-->busy",
      retryable: true,
      retryAfterMs: 5000,
      delayedBy: "retry_after",
      code: "handler_failed",
    });
    assert.equal(new RetryAfter(5).message, "Retry after 5 ms");
  });

  it("RetryAfter takes no time that is none", () => {
    for (const ms of [-1, NaN, Infinity, "5", null, undefined, 5n, new Date(), {}]) {
      assert.throws(() => new RetryAfter(ms as number), RangeError);
    }
    // Nor from another copy of the library, which may allow more.
    for (const retryAfterMs of [Infinity, NaN, -1, "5"]) {
      const failure = failureOf(Object.assign(new RetryAfter(1), { retryAfterMs }));
      assert.deepEqual([failure.retryable, failure.retryAfterMs], [true, undefined]);
    }
  });

  it("keeps the cause out of the reason and on the error", () => {
    const cause = new Error("password=hunter2");
    for (
      const error of [new NonRetryable("no", { cause }), new RetryAfter(1, "later", { cause })]
    ) {
      assert.equal(error.cause, cause);
      assert.ok(!reasonOf(error).includes("hunter2"));
    }
  });

  it("cuts a reason that is a log", () => {
    const reason = reasonOf(new Error("x".repeat(5000)));
    assert.equal(reason.length, MAX_REASON_LENGTH);
    assert.ok(reason.endsWith("x…"));
  });
});
