/**
 * How a bus stands.
 *
 * @module
 */
import type { Health } from "./bus.ts";
import type { Settings } from "./options.ts";
import type { Phase } from "./phase.ts";

/** Asks the store whether it answers, unless the bus takes no more work anyway. */
export async function healthOf<Tx>(
  { store, clock }: Pick<Settings<Tx>, "store" | "clock">,
  phase: Phase,
): Promise<Health> {
  const running = phase === "running";
  if (phase === "draining" || phase === "stopped") {
    return { ready: false, store: "up", running, reason: "The bus is stopping" };
  }
  try {
    await store.ready();
    await store.nextDueAt("outbox", clock.now());
    return { ready: true, store: "up", running };
  } catch {
    // The driver's own words may hold an address or a user name.
    return { ready: false, store: "down", running, reason: "The store does not answer" };
  }
}
