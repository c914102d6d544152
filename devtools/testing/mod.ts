/**
 * A kit for tests of your own handlers and flows. It works with every test runner: it is plain functions that resolve
 * or throw.
 *
 * @example
 * ```ts
 * import { defineMessage, subscribe } from "@atlast/bus";
 * import { createTestKit } from "@atlast/bus/testing";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 *
 * const kit = createTestKit({ mode: "inline" }, [
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => console.log("mailed", orderId)),
 * ]);
 * await kit.bus.publish(OrderPlaced, { orderId: 7 });
 * await kit.stop();
 * ```
 *
 * It prints:
 *
 * ```text
 * mailed 7
 * ```
 *
 * @module
 */
export { createTestKit, type TestKit } from "./test_kit.ts";
export type { TestKitOptions } from "./kit_options.ts";
export type { DrainOptions, TestWorld } from "./world.ts";
export { type PendingMessage, StillPending } from "./pending.ts";
export type { FaultKind, FaultOptions, InjectedFault } from "./faults.ts";
export type { Expected, Publications, PublishedMessage } from "./published.ts";
export type { PartOf } from "./part_of.ts";
export { type HandlerRun, runHandler, type RunHandlerOptions } from "./run_handler.ts";
// The types of other entries that those above have, for programs that import this one alone.
export type { ManualClock } from "../../adapters/memory/manual_clock.ts";
export type { MemoryTransaction } from "../../adapters/memory/transaction.ts";
