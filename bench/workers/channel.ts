/**
 * The worker's end of the connection to the bench: it sends reports and waits for signals.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Task, WorkerReport } from "./protocol.ts";

/** The task of one kind. */
export type TaskOf<Kind extends Task["kind"]> = Extract<Task, { readonly kind: Kind }>;

/** How a worker communicates with the bench. */
export interface Channel {
  readonly send: (report: WorkerReport) => void;
  /** Resolves when the bench signals that the next step may begin. */
  readonly nextSignal: () => Promise<void>;
}

/** Opens the channel on standard input and output. */
export function openChannel(): Channel {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  return {
    send(report) {
      process.stdout.write(`${JSON.stringify(report)}\n`);
    },
    async nextSignal() {
      await lines.next();
    },
  };
}
