import assert from "node:assert/strict";
import { it } from "node:test";
import * as fc from "fast-check";
import { Heap, type HeapEntry, isBefore } from "../../../adapters/memory/heap.ts";
import { holds } from "../../support/property.ts";

it("a heap gives the earliest, whatever was added and taken out before", () => {
  const step = fc.oneof(
    fc.record({ add: fc.nat(20) }),
    fc.record({ remove: fc.nat() }),
  );
  holds(fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
    const heap = new Heap<HeapEntry>();
    const model: HeapEntry[] = [];
    for (const [sequence, step] of steps.entries()) {
      if ("add" in step) {
        const entry = { atMs: step.add, sequence, index: 0 };
        heap.add(entry);
        model.push(entry);
      } else if (model.length > 0) {
        const [entry] = model.splice(step.remove % model.length, 1);
        heap.remove(entry as HeapEntry);
      }
      model.sort((a, b) => isBefore(a, b) ? -1 : 1);
      assert.equal(heap.first, model[0]);
    }
  }));
});
