/**
 * Committing: an operation passes the fence once, and not after its message was cancelled.
 *
 * @module
 */
import assert from "node:assert/strict";
import { checkBack, type FenceCases, openOperation, operate } from "./subject.ts";

/** Whom a fence lets through. */
export const commitCases: FenceCases = {
  "an operation that comes after the check is refused, and all its writes roll back": async (
    subject,
  ) => {
    assert.equal(await checkBack(subject.peer), "aborted");
    const late = subject.fence.transaction(async (tx) => {
      await subject.write(tx, "before the fence");
      await subject.fence.commit("m-1", 1, tx);
    });
    await assert.rejects(late, { code: "fenced_off", message: /cancelled/ });
    assert.deepEqual(await subject.written(), []);
    assert.equal(await checkBack(subject.fence), "aborted");
  },

  "an operation that comes a second time is refused, and told that it has committed before": async (
    subject,
  ) => {
    await operate(subject);
    await assert.rejects(operate(subject), (error: Error & { code?: unknown }) => {
      assert.equal(error.code, "fenced_off");
      assert.match(error.message, /committed before/);
      assert.doesNotMatch(error.message, /cancelled/);
      return true;
    });
    assert.deepEqual(await subject.written(), ["m-1"]);
    assert.equal(await checkBack(subject.fence), "committed");
  },

  "an operation may be tried again after it rolled back": async (subject) => {
    const failing = operate(subject, "m-1", () => Promise.reject(new Error("deadlock")));
    await assert.rejects(failing, /deadlock/);
    await operate(subject);
    assert.equal(await checkBack(subject.peer), "committed");
    assert.deepEqual(await subject.written(), ["m-1"]);
  },

  "one transaction may carry the operations of several messages": async (subject) => {
    await subject.fence.transaction(async (tx) => {
      await subject.fence.commit("m-1", 1, tx);
      await subject.fence.commit("m-2", 1, tx);
      await subject.write(tx, "both");
    });
    for (const id of ["m-1", "m-2"]) assert.equal(await checkBack(subject.fence, id), "committed");
  },

  "the fence in one transaction twice is refused": async (subject) => {
    const twice = subject.fence.transaction(async (tx) => {
      await subject.fence.commit("m-1", 1, tx);
      await subject.fence.commit("m-1", 1, tx);
    });
    await assert.rejects(twice, { code: "fenced_off" });
    assert.equal(await checkBack(subject.fence), "aborted");
  },

  "of two runs of one operation at once, one commits": async (subject) => {
    const runs = [subject.fence, subject.peer].map((fence) => operate({ ...subject, fence }));
    const ends = await Promise.allSettled(runs);
    assert.deepEqual(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    assert.deepEqual(await subject.written(), ["m-1"]);
    assert.equal(await checkBack(subject.fence), "committed");
  },

  "an operation that runs beside an open run of itself never commits too": async (subject) => {
    const first = await openOperation(subject);
    const second = assert.rejects(operate({ ...subject, fence: subject.peer }), {
      code: "fenced_off",
    });
    await first.end();
    await second;
    assert.deepEqual(await subject.written(), ["m-1"]);
  },

  "an operation's transaction is refused by whoever uses it once it has ended": async (subject) => {
    const ended = await subject.fence.transaction((tx) => Promise.resolve({ tx }));
    // Rejected or thrown: either way nothing is written outside a transaction.
    await assert.rejects(async () => await subject.fence.commit("m-1", 1, ended.tx));
    assert.equal(await checkBack(subject.fence), "aborted");
  },

  "something that is no transaction is refused": async ({ fence }) => {
    for (const tx of [{}, null, undefined, "tx"]) {
      await assert.rejects(async () => await fence.commit("m-1", 1, tx), { code: "unsupported" });
    }
    assert.equal(await checkBack(fence), "aborted");
  },
};
