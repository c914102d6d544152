/**
 * An emulator of QStash, for development and for tests.
 *
 * In a test it runs in the process, with a clock that the test advances. In development it is a server: `deno
 * run -A jsr:@atlast/bus/qstash/emulator`.
 *
 * @module
 */
export { createQstashEmulator, type QstashEmulator, type QstashEnvironment } from "./emulator.ts";
export type { QstashEmulatorOptions, QstashEvent, QstashKeys } from "./options.ts";
export type { QstashState } from "./records.ts";
export { virtualClock, type VirtualTime } from "./clock.ts";
export { QSTASH_ASSUMPTIONS, type QstashAssumptions } from "./assumptions.ts";
export { QSTASH_PLANS, type QstashLimits, type QstashPlan } from "./plans.ts";
export {
  type ApiFault,
  type ApiRequest,
  type BatchItem,
  type DeliveryAttempt,
  type DeliveryFault,
  type QstashFaults,
  seededFaults,
  type SeededFaultsOptions,
} from "./faults.ts";
export type { RateLimitKind } from "./quota.ts";
export { type QstashServer, type QstashServerOptions, serveQstashEmulator } from "./server.ts";
export type { Clock } from "../../core/ports/platform.ts";

// In a bundle another module is the entry point.
if (import.meta.main && /\/qstash_emulator\/mod\.[jt]s$/.test(import.meta.url)) {
  // Imported only here: the emulator itself needs neither arguments nor a process.
  const { runAsProcess } = await import("../server/program.ts");
  const { PROGRAM } = await import("./command_line.ts");
  await runAsProcess(PROGRAM);
}
