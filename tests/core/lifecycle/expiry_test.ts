import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkExpiryPolicy,
  DEFAULT_EXPIRY,
  expiresAt,
  type ExpiryPolicy,
} from "../../../core/lifecycle/expiry.ts";

const DAY_MS = 86_400_000;

describe("expiry", () => {
  it("is a day after success and 15 after failure, unless told otherwise", () => {
    assert.deepEqual(DEFAULT_EXPIRY, {
      succeededMs: DAY_MS,
      failedMs: 15 * DAY_MS,
      cancelledMs: DAY_MS,
    });
  });

  it("is counted from settling, and never leaves the calendar", () => {
    assert.equal(expiresAt(5, 10), 15);
    assert.equal(expiresAt(5, 0), 5);
    assert.equal(expiresAt(5, Number.MAX_VALUE), 8.64e15);
  });

  it("is never where the policy says null", () => {
    assert.equal(expiresAt(5, null), null);
  });

  for (const field of ["succeededMs", "failedMs", "cancelledMs"] as const) {
    it(`refuses ${field} that is no time, by name`, () => {
      for (const value of [-1, NaN, "1 day"]) {
        assert.throws(
          () => checkExpiryPolicy({ ...DEFAULT_EXPIRY, [field]: value } as ExpiryPolicy),
          (error) => {
            const { code, message } = error as { code?: unknown; message: string };
            return code === "invalid_option" && message.includes(field) && message.includes("null");
          },
        );
      }
      checkExpiryPolicy({ ...DEFAULT_EXPIRY, [field]: null });
      checkExpiryPolicy({ ...DEFAULT_EXPIRY, [field]: 0 });
    });
  }
});
