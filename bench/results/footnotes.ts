/**
 * What a reader must know of a table to read it rightly.
 *
 * @module
 */
import type { Amounts, Backlog, Load } from "../plan.ts";

/** How a load was measured; null where the title says it all. */
export function footnoteOf(load: Load, amounts: Amounts): string | null {
  switch (load.kind) {
    case "drain":
      return drainNote(amounts[load.amount]);
    case "whole":
      return wholeNote(amounts.backlog);
    case "latency":
      return "Publishers and workers have run for a second before.";
    case "idle":
      return idleNote(amounts);
    case "prune":
      return pruneNote(amounts);
    case "core":
      return load.what === "bytes" ? "The patch that transition returns is part of it." : null;
    case "upstash-redis":
      return "Through the REST proxy before a Redis server that writes every command to disk; the proxy " +
        "is in the same process. It counts what Upstash would bill.";
    case "pglite":
      return "In memory: what PGlite keeps on disk it does not flush either.";
    case "publish":
    case "edge":
      return null;
  }
}

function drainNote({ warmUp, messages }: Backlog): string {
  const [all, first] = [count(warmUp + messages), count(warmUp)];
  return `Warm workers: of ${all} waiting messages, the time, the processor time, statements and WAL ` +
    `from when ${first} are handled until all are settled.`;
}

function wholeNote({ warmUp, messages }: Backlog): string {
  const [first, then] = [count(warmUp), count(messages)];
  return `A warm process: it has published and handled ${first} messages, and waits; the time from ` +
    `then until ${then} more are published, handled and settled.`;
}

function idleNote({ idleMs, restMs }: Amounts): string {
  const [watched, rested] = [seconds(idleMs), seconds(restMs)];
  return `Counted for ${watched}, ${rested} after the start; each worker as in the measurement of ` +
    "latency, all at the same time.";
}

function pruneNote({ expired, publishMs }: Amounts): string {
  const [all, turn] = [count(expired), seconds(publishMs)];
  return `The rate while ${all} expired messages are deleted, as a share of the rate while they are ` +
    `not, in turns of ${turn}.`;
}

function count(messages: number): string {
  return messages.toLocaleString("en");
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
