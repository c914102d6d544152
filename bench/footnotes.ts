/**
 * What a reader must know of a table to read it rightly.
 *
 * @module
 */
import type { Amounts, Backlog, Load } from "./plan.ts";

/** How a load was measured; null where the title says it all. */
export function footnoteOf(load: Load, amounts: Amounts): string | null {
  switch (load.kind) {
    case "drain": {
      const { warmUp, messages } = amounts[load.amount];
      return `Warm workers: of ${
        count(warmUp + messages)
      } waiting messages, the time, the processor ` +
        `time, statements and WAL from when ${count(warmUp)} are handled until all are settled.`;
    }
    case "whole":
      return wholeNote(amounts.backlog);
    case "latency":
      return "Publishers and workers have run for a second before.";
    case "idle":
      return `Counted for ${seconds(amounts.idleMs)}, ${
        seconds(amounts.restMs)
      } after the start; ` +
        "each worker as in the measurement of latency.";
    case "prune":
      return `The rate while ${
        count(amounts.expired)
      } expired messages are deleted, as a share of ` +
        `the rates of ${seconds(amounts.publishMs)} before and after.`;
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

function wholeNote({ warmUp, messages }: Backlog): string {
  return `A warm process: it has published and handled ${count(warmUp)} messages, and waits; the ` +
    `time from then until ${count(messages)} more are published, handled and settled.`;
}

function count(messages: number): string {
  return messages.toLocaleString("en");
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
