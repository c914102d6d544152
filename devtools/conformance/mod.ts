/**
 * The conformance suites, for authors of adapters: what every store, transport and fence must keep. Each suite is a list
 * of cases, which any test runner can run.
 *
 * @example
 * ```ts
 * import { storeSuite } from "@atlast/bus/conformance";
 * import { memoryStore } from "@atlast/bus/memory";
 *
 * const suite = storeSuite({
 *   capabilities: { transactions: true, durable: false, shared: false, lazyTransactions: true },
 *   open() {
 *     const store = memoryStore();
 *     return Promise.resolve({ subject: { store, peer: store }, close: () => store.close() });
 *   },
 * });
 * for (const { skip, run } of suite) if (skip === null) await run();
 * console.log("The memory store keeps everything.");
 * ```
 *
 * It prints:
 *
 * ```text
 * The memory store keeps everything.
 * ```
 *
 * @module
 */
export { storeSuite, type StoreSuiteOptions } from "./store/store_suite.ts";
export type { StoreSubject } from "./store/subject.ts";
export { fenceSuite } from "./fence/fence_suite.ts";
export type { FenceSubject } from "./fence/subject.ts";
export {
  type OpenedTransport,
  transportSuite,
  type TransportSuiteOptions,
} from "./transport/transport_suite.ts";
export { ROUTED } from "./transport/subject.ts";
export type { ConformanceCase, Opened, Skip, SuiteOptions } from "./suite.ts";
