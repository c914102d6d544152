import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { answerId } from "../../../bus/settings/ids.ts";
import {
  answerKindOf,
  type AnswerOrigin,
  checkCallerId,
  checkId,
  FIRST_UUID_V7_STATE,
  isReservedId,
  MAX_ID_LENGTH,
  timeOfUuidV7,
  UUID_V7_RANDOM_BYTES,
  uuidV7,
  type UuidV7State,
} from "../../../core/message/id.ts";
import { holds } from "../../support/property.ts";

/** RFC 9562, figure 11: 48 bits of time, version 7, 12 bits, variant 10, 62 bits. */
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const MAX_TIME_MS = 2 ** 48 - 1;

const time = fc.integer({ min: 0, max: MAX_TIME_MS - 10_000 });
const bytes = fc.uint8Array({ minLength: UUID_V7_RANDOM_BYTES, maxLength: UUID_V7_RANDOM_BYTES });

/** The ids of one generator over a clock's readings. */
function generate(times: readonly number[], random: Uint8Array = new Uint8Array(8)): string[] {
  let state: UuidV7State = FIRST_UUID_V7_STATE;
  return times.map((nowMs) => {
    const next = uuidV7(state, nowMs, random);
    state = next.state;
    return next.id;
  });
}

describe("a UUIDv7", () => {
  it("is laid out as in RFC 9562, and gives its time back", () => {
    holds(fc.property(time, bytes, (nowMs, random) => {
      const [id] = generate([nowMs], random);
      assert.match(id!, UUID_V7);
      assert.equal(timeOfUuidV7(id!), nowMs);
    }));
  });

  it("is the RFC's own example", () => {
    // RFC 9562, appendix A.6: 2022-02-22T19:22:22Z, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    const random = Uint8Array.of(0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f);
    const state = { timeMs: 0x017f22e279b0, counter: 0xcc2 };
    const { id } = uuidV7(state, 0x017f22e279b0, random);
    assert.equal(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  });

  it("takes every random bit but the two of the variant", () => {
    const [id] = generate([0], new Uint8Array(8).fill(0xff));
    assert.equal(id!.slice(19), "bfff-ffffffffffff");
  });

  it("takes its random bytes from an offset", () => {
    const pool = Uint8Array.from({ length: 16 }, (_, i) => i);
    const { id } = uuidV7(FIRST_UUID_V7_STATE, 1, pool, 8);
    assert.equal(id.slice(19), "8809-0a0b0c0d0e0f");
  });

  it("ascends whatever the clock does: stands still, goes back, jumps", () => {
    const clock = fc.array(fc.oneof(fc.nat(20), time), { minLength: 2, maxLength: 50 });
    holds(fc.property(clock, (times) => {
      const ids = generate(times);
      assert.deepEqual(ids.toSorted(), ids);
      assert.equal(new Set(ids).size, ids.length);
    }));
  });

  it("ascends through a full counter within one millisecond", () => {
    const ids = generate(Array.from({ length: 10_000 }, () => 1_000_000));
    assert.deepEqual(ids.toSorted(), ids);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(timeOfUuidV7(ids.at(-1)!), 1_000_002);
  });

  it("takes a clock with fractions", () => {
    assert.equal(timeOfUuidV7(generate([1234.9])[0]!), 1234);
  });

  it("is told from other ids", () => {
    for (const id of ["", "order-1", "886313e1-3b8a-5372-9b90-0c9aee199e5d"]) {
      assert.equal(timeOfUuidV7(id), null);
    }
    assert.equal(timeOfUuidV7("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), 0x017f22e279b0);
  });
});

describe("the id of an answer", () => {
  const origin: AnswerOrigin = {
    kind: "reply",
    requestId: "order-7",
    responder: "stock",
    group: "main",
    round: 1,
  };

  it("is the same for the same origin, and fits where ids go", async () => {
    const id = await answerId(origin);
    assert.equal(id, "atlast-reply-nZEYALSQ_aaedK1dVTDs80e0oXjZnwllRNhPVCYw6AU");
    assert.equal(id, await answerId({ ...origin }));
    checkId(id);
  });

  it("is another one for each part of its origin", async () => {
    const others: AnswerOrigin[] = [
      { ...origin, kind: "failure" },
      { ...origin, kind: "conflict" },
      { ...origin, requestId: "order-8" },
      { ...origin, responder: "mail" },
      { ...origin, group: "" },
      { ...origin, round: 2 },
      // The same letters, cut elsewhere.
      { ...origin, requestId: 'order-7","stock', responder: "" },
    ];
    const ids = new Set(await Promise.all([origin, ...others].map(answerId)));
    assert.equal(ids.size, 1 + others.length);
  });

  it("is a form that callers' ids may not have", async () => {
    const id = await answerId(origin);
    for (const reserved of [id, "atlast-reply-1", "atlast-failure-", `atlast-conflict-${id}`]) {
      assert.equal(isReservedId(reserved), true);
      assert.throws(() => checkCallerId(reserved), { code: "invalid_id" });
    }
    for (
      const own of [
        "atlast-7",
        "reply-7",
        "my-atlast-reply-7",
        "atlast-replies-1",
        "Atlast-Reply-1",
      ]
    ) {
      assert.equal(isReservedId(own), false);
      checkCallerId(own);
    }
  });

  it("says what it is the id of, and nothing where no bus derives it", async () => {
    assert.equal(answerKindOf(await answerId({ ...origin, kind: "failure" })), "failure");
    for (const none of ["atlast-reply-1", `${await answerId(origin)}A`, "order-7"]) {
      assert.equal(answerKindOf(none), null);
    }
  });
});

describe("an id of the caller's own", () => {
  it("may be any printable text", () => {
    for (const id of ["a", "order 1", "注文-1", "🎉", "x".repeat(MAX_ID_LENGTH)]) checkId(id);
  });

  it("is refused when empty, too long, or with characters that cannot be shown", () => {
    const wrong = [
      "",
      "x".repeat(MAX_ID_LENGTH + 1),
      "a\nb",
      "a\u0000",
      "\u007f",
      "a\u200b",
      "\ud800",
    ];
    for (const id of wrong) {
      assert.throws(() => checkId(id), { code: "invalid_id", message: /want 1 to 200/ });
    }
  });
});
