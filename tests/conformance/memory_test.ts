import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { storeWithoutTransactions } from "../support/without_transactions.ts";
import {
  addClaimed,
  claimOne,
  LEASE_MS,
  NOW,
  recordOf,
  settlement,
} from "../../devtools/conformance/store/subject.ts";
import { testStore } from "./test_suites.ts";

testStore("memory store", {
  capabilities: { transactions: true, durable: false, shared: false, lazyTransactions: true },
  async open() {
    const store = memoryStore();
    await store.ready();
    return { subject: { store, peer: store }, close: () => store.close() };
  },
});

testStore("memory store without its transactions", {
  capabilities: { transactions: false, durable: false, shared: false, atomicSettleAndAdd: true },
  open() {
    const store = storeWithoutTransactions();
    return Promise.resolve({ subject: { store, peer: store }, close: () => store.close() });
  },
  skip: [{
    reason: "it stands for a store without these hints",
    topics: ["outlines", "outlines of ids", "recall"],
  }],
});

describe("memory store: its transactions", () => {
  it("are refused with lease_lost when a record was claimed since, and write nothing", async () => {
    const store = memoryStore();
    const claimed = await addClaimed(store, recordOf("m-1"));
    const work = store.transaction(async (tx) => {
      await store.add("outbox", [recordOf("reply")], NOW, tx);
      await store.settle("outbox", [settlement(claimed)], tx);
      await claimOne(store, { nowMs: NOW + LEASE_MS + 1 });
    });
    await assert.rejects(work, { code: "lease_lost" });
    assert.equal(await store.find("outbox", recordOf("reply")), null);
  });

  it("are refused with id_conflict when a key was taken since, and write nothing", async () => {
    const store = memoryStore();
    const work = store.transaction(async (tx) => {
      await store.add("outbox", [recordOf("m-1"), recordOf("m-2")], NOW, tx);
      await store.add("outbox", [recordOf("m-2")], NOW);
    });
    await assert.rejects(work, { code: "id_conflict" });
    assert.equal(await store.find("outbox", recordOf("m-1")), null);
  });

  it("are open until they end", async () => {
    const store = memoryStore();
    const tx = await store.transaction((tx) => {
      assert.equal(tx.isOpen, true);
      return Promise.resolve(tx);
    });
    assert.equal(tx.isOpen, false);
  });

  it("are refused by another store", async () => {
    const [store, other] = [memoryStore(), memoryStore()];
    await store.transaction(async (tx) => {
      await assert.rejects(other.add("outbox", [recordOf("m-1")], NOW, tx), {
        code: "unsupported",
      });
    });
  });
});
