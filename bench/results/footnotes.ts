/**
 * Explains below a scenario's table how its workload was measured.
 *
 * @module
 */
import type { Amounts, Backlog } from "../amounts.ts";
import type { Workload } from "../scenario.ts";

/** How a workload was measured; null if the scenario's title says it. */
export function explainWorkload(workload: Workload, amounts: Amounts): string | null {
  switch (workload.kind) {
    case "drain":
      return explainDrain(amounts[workload.backlog]);
    case "end-to-end":
      return explainEndToEnd(amounts.backlog);
    case "latency":
      return "Publishers and handlers run for one second before they are measured.";
    case "idle":
      return explainIdle(amounts);
    case "prune":
      return explainPrune(amounts);
    case "core":
      return workload.figure === "bytes" ? "The patch that transition returns is included." : null;
    case "upstash-redis":
      return "Through the REST proxy, in the worker's own process, in front of a Redis server that " +
        "writes every command to disk. Commands are counted as Upstash bills them.";
    case "pglite":
      return "In memory. PGlite does not flush to disk either when it keeps its data there.";
    case "publish":
    case "edge":
      return null;
  }
}

function explainDrain({ warmUp, messages }: Backlog): string {
  const [all, first] = [formatCount(warmUp + messages), formatCount(warmUp)];
  return `${all} messages wait; the first ${first} warm the workers up. Time, processor time, ` +
    "statements and WAL are measured from then until all messages are settled.";
}

function explainEndToEnd({ warmUp, messages }: Backlog): string {
  const [first, measured] = [formatCount(warmUp), formatCount(messages)];
  return `The process first publishes and handles ${first} messages to warm up. The measurement ends ` +
    `when ${measured} more are published, handled and settled.`;
}

function explainIdle({ idleMs, idleWarmUpMs }: Amounts): string {
  const [measured, warmUp] = [formatSeconds(idleMs), formatSeconds(idleWarmUpMs)];
  return `Counted for ${measured}, from ${warmUp} after the start. Workers are configured as for ` +
    "latency, and all are measured at the same time.";
}

function explainPrune({ expired, publishMs }: Amounts): string {
  const [all, slice] = [formatCount(expired), formatSeconds(publishMs)];
  return `The rate of publishing while ${all} expired messages are pruned, as a share of the rate ` +
    `without pruning. Both alternate every ${slice}.`;
}

function formatCount(messages: number): string {
  return messages.toLocaleString("en");
}

function formatSeconds(ms: number): string {
  return `${ms / 1000} s`;
}
