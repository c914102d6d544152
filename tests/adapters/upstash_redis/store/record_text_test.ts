import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memberOf } from "../../../../adapters/upstash_redis/store/keys.ts";
import {
  messageText,
  patchLine,
  recordOf,
  standingText,
} from "../../../../adapters/upstash_redis/store/record_text.ts";
import { newRecord } from "../../../../bus/records/new_record.ts";
import type { Box, State } from "../../../../core/lifecycle/lifecycle.ts";
import { arriving } from "../../../support/bus_fixture.ts";

/** The record whose standing has this line for its patch. */
function read(box: Box, state: State, line: string) {
  const message = arriving("m");
  const record = { ...newRecord(message, {}), state };
  const text = standingText(record, 1_000, messageText(message), "t");
  const [first, , ...rest] = text.split("\n");
  const standing = [first, line, ...rest].join("\n");
  return recordOf(box, memberOf(record), standing, messageText(message));
}

describe("the text of a record", () => {
  const OLD = (attempts: number) => `[${attempts},null,0,0,null,"no answer"]`;

  it("that an older version tried to send says that it may have arrived, since it was published", () => {
    for (const state of ["scheduled", "failed"] as const) {
      const { details } = read("outbox", state, OLD(2));
      assert.deepEqual(details, { mayHaveArrived: true, firstAttemptAtMs: 1_000 });
    }
  });

  it("says no such thing of what was never tried, what succeeded, or what was received", () => {
    assert.equal(read("outbox", "scheduled", OLD(0)).details, null);
    assert.equal(read("outbox", "succeeded", OLD(1)).details, null);
    assert.equal(read("inbox", "scheduled", OLD(1)).details, null);
  });

  it("says so of its own only where the record does", () => {
    const patch = {
      deadlineMs: null,
      checks: 0,
      unreachable: 0,
      note: null,
      reason: "refused",
    };
    for (const state of ["scheduled", "failed", "succeeded", "cancelled"] as const) {
      for (const attempts of [0, 1]) {
        for (const details of [null, { mayHaveArrived: true }]) {
          const line = patchLine({ ...patch, state, attempts, details });
          assert.deepEqual(read("outbox", state, line).details, details);
        }
      }
    }
  });

  it("of a record that succeeded takes no more room than it must", () => {
    const patch = { deadlineMs: null, checks: 0, unreachable: 0, note: null, reason: null };
    const line = patchLine({ ...patch, state: "succeeded", attempts: 1, details: null });
    assert.equal(line, "[1,null,0,0,null,null]");
  });
});
