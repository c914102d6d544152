/**
 * The memory store as one without transactions: what such a store must do in one step it still does.
 *
 * @module
 */
import { memoryStore } from "../../adapters/memory/mod.ts";
import type { AddResult, Store } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";

/** Thrown to take back a transaction. */
class TakeBack extends Error {}

/** Makes an empty store that has no transactions, of one that does. */
export function storeWithoutTransactions(): Store {
  const store = memoryStore();
  // One after another: of two transactions at once one would be refused.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<Result>(work: (tx: unknown) => Promise<Result>): Promise<Result> {
    const done = last.then(() => store.transaction(work));
    last = done.catch(() => {});
    return done;
  }
  return {
    capabilities: { transactions: false, durable: false, shared: false, atomicSettleAndAdd: true },
    ready: () => store.ready(),
    serviceId: () => store.serviceId(),
    add: (box, records, nowMs) => store.add(box, records, nowMs),
    claim: (request) => store.claim(request),
    renew: (...args) => store.renew(...args),
    settle: (box, settlements) => store.settle(box, settlements),
    find: (box, key) => store.find(box, key),
    list: (query) => store.list(query),
    count: (box) => store.count(box),
    prune: (...args) => store.prune(...args),
    addUnlessKnown: (...args) => store.addUnlessKnown(...args),
    nextDueAt: (...args) => store.nextDueAt(...args),
    hints: {
      makeUnroutableDue: async (...args) => await store.hints?.makeUnroutableDue?.(...args) ?? 0,
    },
    transaction: (work) => work(undefined),
    close: () => store.close(),

    settleAndAdd: (box, steps, nowMs) =>
      inTurn(async (tx) => {
        const ends: (AddResult[] | null)[] = [];
        for (const { settlement, box: to, records } of steps) {
          const [applied] = await store.settle(box, [settlement], tx as never);
          ends.push(applied ? await store.add(to, records, nowMs, tx as never) : null);
        }
        return ends;
      }),

    addAll(box, records, nowMs) {
      let existing: (StoredRecord | null)[] = [];
      const all = inTurn(async (tx) => {
        const results = await store.add(box, records, nowMs, tx as never);
        existing = results.map((result) => result.added ? null : result.existing);
        if (existing.some((found) => found !== null)) throw new TakeBack();
        return existing;
      });
      return all.catch((error) => {
        if (error instanceof TakeBack) return existing;
        throw error;
      });
    },
  };
}
