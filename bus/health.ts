/**
 * Computes the result of `Bus.health`.
 *
 * @module
 */
import type { Health, HealthOptions } from "./api/health.ts";
import { maxAgeOf } from "./settings/call_options.ts";
import type { Phase } from "./run_state.ts";
import type { OrphanWatch } from "./work/orphans.ts";
import type { StoreProbe } from "./store_probe.ts";

/** Checks whether the store answers, unless the bus is stopping. */
export async function healthOf<Tx>(
  probe: StoreProbe<Tx>,
  watch: OrphanWatch<Tx>,
  phase: Phase,
  options?: HealthOptions,
): Promise<Health> {
  const maxAgeMs = maxAgeOf(options);
  const running = phase === "running";
  if (phase === "draining" || phase === "stopped") {
    return { ready: false, store: "up", running, reason: "The bus is stopping" };
  }
  // At the same time, so that the answer comes within the limit of one of them.
  const [isUp, transport] = await Promise.all([probe.isUp(maxAgeMs), probe.transport(maxAgeMs)]);
  if (isUp) {
    const [warnings, orphans] = await Promise.all([probe.warnings(), watch.recent()]);
    const failing = probe.failing();
    return {
      ready: transport !== "down",
      store: "up",
      ...transport === null ? {} : { transport },
      running,
      ...transport === "down" ? { reason: "The transport does not answer" } : {},
      ...failing.length > 0 ? { failing } : {},
      ...warnings.length > 0 ? { warnings } : {},
      ...orphans.length > 0 ? { orphans } : {},
    };
  }
  // The driver's error text may contain an address or a user name.
  const refusal = probe.refusal();
  return {
    ready: false,
    store: "down",
    ...transport === null ? {} : { transport },
    running,
    reason: refusal === null ? "The store does not answer" : `The store cannot be used: ${refusal}`,
  };
}
