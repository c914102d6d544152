import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endsWithin } from "../../../devtools/testing/real_time.ts";
import { quiet } from "../../support/gate.ts";

describe("endsWithin", () => {
  it("says whether work ended in time, and passes on its error", async () => {
    assert.equal(await endsWithin(Promise.resolve(5), 60_000), true);
    await assert.rejects(endsWithin(Promise.reject(new Error("no")), 60_000), /^Error: no$/);
    assert.equal(await endsWithin(new Promise(() => {}), 1), false);
  });

  it("takes an error that comes later, which nobody awaits", async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    assert.equal(await endsWithin(promise, 1), false);
    reject(new Error("too late"));
    await quiet();
  });
});
