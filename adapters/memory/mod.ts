/**
 * A store, a fence and a transport in memory, for tests and for work that may end with the process.
 *
 * @example
 * ```ts
 * import { createBus } from "@atlast/bus";
 * import { inProcessTransport, memoryStore } from "@atlast/bus/memory";
 *
 * const bus = createBus({ store: memoryStore(), transport: inProcessTransport() });
 * ```
 *
 * @module
 */
export { type InProcessTransport, inProcessTransport } from "./in_process_transport.ts";
export { type ManualClock, manualClock } from "./manual_clock.ts";
export { memoryStore } from "./memory_store.ts";
export type { MemoryTransaction } from "./transaction.ts";
export { memoryFence, type MemoryFenceTransaction } from "./memory_fence.ts";
