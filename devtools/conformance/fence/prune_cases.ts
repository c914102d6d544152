/**
 * Pruning: rows go once no half message can need them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { pruneFence } from "../../../bus/half/prune_fence.ts";
import type { State } from "../../../core/lifecycle/lifecycle.ts";
import type { FenceRow } from "../../../core/ports/fence.ts";
import { checkBack, type FenceCases, type FenceSubject, NOW } from "./subject.ts";

const LIMIT = 7;

/** What a fence forgets. */
export const pruneCases: FenceCases = {
  "rows are listed oldest first, before a time, page by page": async (subject) => {
    const ids = Array.from({ length: 20 }, (_, i) => `m-${i}`);
    // Many share a time, so that a page ends among them.
    await writeRows(subject, ids.map((id, i) => [id, NOW + Math.floor(i / 8)]));
    const listed: FenceRow[] = [];
    for (let page: FenceRow[] = [], last = false; !last; last = page.length < LIMIT) {
      page = await subject.fence.writtenBefore(NOW + 2, listed.at(-1) ?? null, LIMIT);
      assert.ok(page.length <= LIMIT);
      listed.push(...page);
    }
    assert.deepEqual(
      listed.map(({ id, writtenAtMs }) => [writtenAtMs, id]),
      ids.slice(0, 16).map((id, i) => [NOW + Math.floor(i / 8), id] as const)
        .sort(([a, x], [b, y]) => a - b || (x < y ? -1 : 1)),
    );
  },

  "a row that was written by a check is listed too": async ({ fence }) => {
    const fromMs = Date.now();
    await checkBack(fence);
    const [row] = await fence.writtenBefore(Date.now() + 60_000, null, 10);
    assert.equal(row?.id, "m-1");
    assert.ok(row.writtenAtMs >= fromMs && row.writtenAtMs <= Date.now() + 1);
  },

  "forgetting nothing, or what is not there, does nothing": async (subject) => {
    await writeRows(subject, [["m-1", NOW]]);
    await subject.fence.prune([]);
    await subject.fence.prune(["m-2"]);
    assert.equal(await checkBack(subject.fence), "committed");
  },

  "rows of undecided messages stay, of decided and unknown ones go": async (subject) => {
    const states: Readonly<Record<string, State | null>> = {
      "prepared": "prepared",
      "in_doubt": "in_doubt",
      "scheduled": "scheduled",
      "succeeded": "succeeded",
      "failed": "failed",
      "cancelled": "cancelled",
      "gone": null,
    };
    await writeRows(subject, Object.keys(states).map((id) => [id, NOW]));
    assert.equal(await prune(subject, states, NOW), 0);
    assert.equal(await prune(subject, states, NOW + 1), 5);
    assert.deepEqual(await ids(subject), ["in_doubt", "prepared"]);
    assert.equal(await prune(subject, states, NOW + 1), 0);
  },

  "rows younger than the retention stay": async (subject) => {
    await writeRows(subject, [["old", NOW - 1], ["young", NOW]]);
    assert.equal(await prune(subject, {}, NOW), 1);
    assert.deepEqual(await ids(subject), ["young"]);
  },

  "many rows are gone through page by page, past those that stay": async (subject) => {
    const all = Array.from({ length: 250 }, (_, i) => `m-${String(i).padStart(3, "0")}`);
    await writeRows(subject, all.map((id) => [id, NOW]));
    // The first page, and every third of the others, are still undecided.
    const stay = all.filter((_, i) => i < 100 || i % 3 === 0);
    const states = Object.fromEntries(stay.map((id) => [id, "prepared" as const]));
    assert.equal(await prune(subject, states, NOW + 1), all.length - stay.length);
    assert.deepEqual(await ids(subject), stay);
  },

  "clean-up that is told to stop deletes nothing more": async (subject) => {
    await writeRows(subject, [["m-1", NOW]]);
    const query = () => Promise.resolve(null);
    assert.equal(await pruneFence(subject.fence, { query }, NOW + 1, () => true), 0);
    assert.deepEqual(await ids(subject), ["m-1"]);
  },

  "a row stays when nobody can say how its message stands": async (subject) => {
    await writeRows(subject, [["m-1", NOW]]);
    const query = () => Promise.reject(new Error("no connection"));
    await assert.rejects(pruneFence(subject.fence, { query }, NOW + 1), /no connection/);
    assert.deepEqual(await ids(subject), ["m-1"]);
  },
};

async function writeRows(
  { fence }: FenceSubject,
  rows: readonly (readonly [string, number])[],
): Promise<void> {
  await fence.transaction(async (tx) => {
    for (const [id, atMs] of rows) await fence.commit(id, atMs, tx);
  });
}

function prune(
  { fence }: FenceSubject,
  states: Readonly<Record<string, State | null>>,
  beforeMs: number,
): Promise<number> {
  const query = (id: string) => {
    const state = states[id] ?? null;
    return Promise.resolve(
      state === null ? null : { id, name: "order.placed", state, reason: null, note: null },
    );
  };
  return pruneFence(fence, { query }, beforeMs);
}

async function ids({ fence }: FenceSubject): Promise<string[]> {
  return (await fence.writtenBefore(NOW + 1_000, null, 1_000)).map(({ id }) => id);
}
