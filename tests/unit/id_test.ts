import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  checkId,
  FIRST_UUID_V7_STATE,
  MAX_ID_LENGTH,
  timeOfUuidV7,
  UUID_V7_RANDOM_BYTES,
  uuidV5,
  uuidV7,
  type UuidV7State,
} from "../../core/id.ts";
import { holds } from "../support/property.ts";

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

describe("a UUIDv5", () => {
  const DNS = "6ba7b8109dad11d180b400c04fd430c8";
  const known: readonly (readonly [string, string])[] = [
    ["python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d"],
    // RFC 9562, appendix A.4.
    ["www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2"],
  ];
  for (const [name, expected] of known) {
    it(`of ${name} is the one everybody gets`, async () => {
      const namespace = Uint8Array.from(DNS.match(/../g)!, (hex) => parseInt(hex, 16));
      const input = new Uint8Array([...namespace, ...new TextEncoder().encode(name)]);
      assert.equal(uuidV5(new Uint8Array(await crypto.subtle.digest("SHA-1", input))), expected);
    });
  }
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
