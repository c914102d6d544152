import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyedSemaphore, type Permit } from "../../../bus/async/keyed_semaphore.ts";

describe("a place among the handlers of a group", () => {
  it("is given back once, also when a handler that was given up ends later", async () => {
    const semaphore = new KeyedSemaphore(() => 1);
    const permit = await semaphore.enter("g");
    permit.leave();
    permit.ended();
    permit.leave();
    assert.equal(semaphore.capacityFor("g"), 1);
  });

  it("is there for all that wait or come once the semaphore is closed", async () => {
    const semaphore = new KeyedSemaphore(() => 1);
    const permits: Permit[] = [await semaphore.enter("g")];
    const waiting = [semaphore.enter("g"), semaphore.enter("g")];
    semaphore.close();
    permits.push(...await Promise.all(waiting), await semaphore.enter("g"));
    assert.equal(permits.length, 4);
    for (const permit of permits) permit.leave();
    assert.equal(semaphore.capacityFor("g"), 1);
  });
});
