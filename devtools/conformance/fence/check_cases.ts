/**
 * Asking: an answer that was given stays true.
 *
 * @module
 */
import assert from "node:assert/strict";
import { checkBack, failToOperate, type FenceCases, openOperation, operate } from "./subject.ts";

/** What a fence answers. */
export const checkCases: FenceCases = {
  "an operation that committed is committed, whoever asks and however often": async (subject) => {
    await operate(subject);
    for (const fence of [subject.fence, subject.peer, subject.fence]) {
      assert.equal(await checkBack(fence), "committed");
    }
    assert.deepEqual(await subject.written(), ["m-1"]);
  },

  "one that never began is aborted, and stays so": async ({ fence, peer }) => {
    for (const each of [fence, peer, fence]) assert.equal(await checkBack(each), "aborted");
  },

  "one that rolled back is aborted, and its writes are gone": async (subject) => {
    await assert.rejects(failToOperate(subject), /declined/);
    assert.equal(await checkBack(subject.peer), "aborted");
    assert.deepEqual(await subject.written(), []);
  },

  "outcomes are read as they are, and reading decides nothing": async (subject) => {
    const { fence, peer } = subject;
    await operate(subject, "m-1");
    await checkBack(fence, "m-2");
    await assert.rejects(failToOperate(subject, "m-3"), /declined/);
    const ids = ["m-4", "m-2", "m-1", "m-3", "m-1"];
    for (const read of [fence, peer, fence]) {
      assert.deepEqual(
        await read.outcomes(ids),
        [null, "aborted", "committed", null, "committed"],
      );
    }
    assert.deepEqual(await fence.outcomes([]), []);
    const rows = await fence.writtenBefore(Date.now() + 1e12, null, 10);
    assert.deepEqual(rows.map(({ id }) => id).sort(), ["m-1", "m-2"]);
    await operate(subject, "m-4");
    assert.deepEqual(await subject.written(), ["m-1", "m-4"]);
  },

  "the outcome of an operation that is still open is not there yet": async (subject) => {
    const operation = await openOperation(subject);
    assert.deepEqual(await subject.peer.outcomes(["m-1"]), [null]);
    await operation.end();
    assert.deepEqual(await subject.peer.outcomes(["m-1"]), ["committed"]);
  },

  "two that ask at once get the same answer": async (subject) => {
    const many = Array.from({ length: 6 }, (_, i) => i % 2 === 0 ? subject.fence : subject.peer);
    assert.deepEqual(
      new Set(await Promise.all(many.map((fence) => checkBack(fence)))),
      new Set(["aborted"]),
    );
    await operate(subject, "m-2");
    const answers = await Promise.all(many.map((fence) => checkBack(fence, "m-2")));
    assert.deepEqual(new Set(answers), new Set(["committed"]));
  },

  "an operation that is still open is unknown, never aborted, and can commit": async (subject) => {
    const operation = await openOperation(subject);
    assert.equal(await checkBack(subject.peer), "unknown");
    await operation.end();
    assert.equal(await checkBack(subject.peer), "committed");
    assert.deepEqual(await subject.written(), ["m-1"]);
  },

  "an open operation holds up no other message": async (subject) => {
    const operation = await openOperation(subject);
    assert.equal(await checkBack(subject.peer, "m-2"), "aborted");
    await operation.end();
  },

  "one that is asked after it was told to stop decides nothing": async (subject) => {
    const answer = await checkBack(subject.fence, "m-1", AbortSignal.abort()).catch(() =>
      "unreachable"
    );
    assert.ok(answer === "unknown" || answer === "unreachable", String(answer));
    await operate(subject);
    assert.equal(await checkBack(subject.fence), "committed");
  },

  "ids are told apart, whatever is in them": async (subject) => {
    const ids = ["a", "A", "á", "a'b", 'a"b', "a\\b", "漢😀", "x".repeat(200), "%s", "$1"];
    for (const id of ids) await operate(subject, id);
    for (const id of ids) assert.equal(await checkBack(subject.fence, id), "committed");
    assert.equal(await checkBack(subject.fence, "b"), "aborted");
    await subject.fence.prune(ids);
    for (const id of ids) assert.equal(await checkBack(subject.fence, id), "aborted");
  },
};
