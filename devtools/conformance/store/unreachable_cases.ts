/**
 * Records whose destination could not be reached.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RecordDetails } from "../../../core/lifecycle/record_details.ts";
import type { WaitingPage } from "../../../core/lifecycle/unreachable.ts";
import { claim, found, keyOf, NOW, recordOf, type StoreCases } from "./subject.ts";

const MINUTE = 60_000;

/** What a store does for `resumeOnRecovery`. A store may leave the hint `findUnreachable` out. */
export const unreachableCases: StoreCases = {
  "records whose destination could not be reached are found, and no others": async (
    { store, peer },
  ) => {
    if (store.hints?.findUnreachable === undefined) return;
    const untilMs = NOW + MINUTE;
    const waiting: RecordDetails = { unreachable: { to: 'a"b', untilMs }, postponed: 1 };
    await store.add("outbox", [
      recordOf("waits", { dueAtMs: untilMs, details: waiting, reason: "refused" }),
      recordOf("due now", { dueAtMs: NOW, details: { unreachable: { to: "a", untilMs: NOW } } }),
      recordOf("delayed", { dueAtMs: untilMs }),
      recordOf("leased", { dueAtMs: untilMs, details: waiting, leaseUntilMs: NOW + 1 }),
      recordOf("named so", { dueAtMs: untilMs, details: { principal: '"unreachable":{' } }),
    ], NOW);
    await store.add("inbox", [
      recordOf("inbox", { group: "g", dueAtMs: untilMs, details: waiting }),
    ], NOW);
    const page = await peer.hints?.findUnreachable?.(NOW, 100);
    assert.deepEqual(page?.records.map(({ id }) => id), ["waits"]);
    assert.equal(page?.lookedToMs, null);
    const [record] = page?.records ?? [];
    const stored = await found(store, "outbox", keyOf("waits"));
    for (const field of ["epoch", "dueAtMs", "attempts", "reason", "details", "state"] as const) {
      assert.deepEqual(record?.[field], stored[field], field);
    }
    const patch = { ...stored, dueAtMs: NOW, details: { resumes: 1 } };
    const settlement = { key: keyOf("waits"), epoch: stored.epoch, from: "scheduled" } as const;
    const guard = "anyone while free";
    assert.deepEqual(await store.settle("outbox", [{ ...settlement, guard, patch }]), [true]);
    const after = await found(store, "outbox", keyOf("waits"));
    assert.deepEqual([after.dueAtMs, after.reason, after.details], [NOW, "refused", {
      resumes: 1,
    }]);
    const ids = (await claim(store)).map(({ id }) => id).sort();
    assert.deepEqual(ids, ["due now", "waits"]);
  },

  "a look ends after as many records as it may read": async ({ store }) => {
    if (store.hints?.findUnreachable === undefined) return;
    const details = (untilMs: number): RecordDetails => ({ unreachable: { to: "a", untilMs } });
    const times = [1, 2, 2, 3, 4].map((n) => NOW + n * MINUTE);
    await store.add(
      "outbox",
      times.map((dueAtMs, i) => recordOf(`m-${i}`, { dueAtMs, details: details(dueAtMs) })),
      NOW,
    );
    const seen = new Set<string>();
    let afterMs: number | null = NOW;
    for (let pages = 0; afterMs !== null; pages++) {
      assert.ok(pages < 10);
      const page: WaitingPage | undefined = await store.hints?.findUnreachable?.(afterMs, 2);
      for (const { id } of page?.records ?? []) seen.add(id);
      afterMs = page?.lookedToMs ?? null;
    }
    assert.ok(seen.size >= 4);
  },
};
