import { memoryStore } from "../../adapters/memory/mod.ts";
import { storeSuite } from "./store_suite.ts";

storeSuite("memory store", {
  capabilities: { transactions: true, durable: false, shared: false },
  async open() {
    const store = memoryStore();
    await store.ready();
    return { subject: { store, peer: store }, close: () => store.close() };
  },
});
