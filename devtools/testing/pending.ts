/**
 * The messages that are not settled yet, and why.
 *
 * @module
 */
import type { Box, State } from "../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Store } from "../../core/ports/store.ts";
import { ALL_RECORDS } from "./published_records.ts";
import type { RunningHandlers } from "./running_handlers.ts";

/** A message that is not settled. */
export interface PendingMessage {
  /** Its box. */
  readonly box: Box;
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** The group that handles it; the empty string in the outbox. */
  readonly group: string;
  /** Its state. */
  readonly state: State;
  /** How many attempts were made. */
  readonly attempts: number;
  /** In how many milliseconds of the virtual clock it is due; zero if it is due now. */
  readonly dueInMs: number;
  /** What it waits for, in words. */
  readonly why: string;
}

const UNSETTLED: readonly State[] = ["prepared", "scheduled", "in_doubt"];
/** How many an error shows. */
const MAX_SHOWN = 20;

/** The error of a wait that ended with unsettled messages. Its text lists them. */
export class StillPending extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "StillPending";
  /** The messages. */
  readonly pending: readonly PendingMessage[];

  /** Creates the error; `why` says why the wait ended. */
  constructor(pending: readonly PendingMessage[], why: string) {
    const { length } = pending;
    const count = length === 1 ? "1 message is" : `${length} messages are`;
    const more = length > MAX_SHOWN ? [`  … and ${length - MAX_SHOWN} more`] : [];
    super([
      `Cannot drain: ${count} still pending, ${why}`,
      ...pending.slice(0, MAX_SHOWN).map(lineOf),
      ...more,
    ].join("\n"));
    this.pending = pending;
  }
}

function lineOf({ box, id, name, group, why }: PendingMessage): string {
  const to = group === "" ? "" : `, group "${group}"`;
  return `  - ${box}: ${name} (id "${id}"${to}): ${why}`;
}

/** Finds the unsettled messages of a store, the first one that was added first. */
export async function findPending(
  store: Pick<Store, "list">,
  nowMs: number,
  running: RunningHandlers,
): Promise<PendingMessage[]> {
  const lists = await Promise.all(
    (["outbox", "inbox"] as const).map((box) =>
      store.list({ box, states: UNSETTLED, limit: ALL_RECORDS })
    ),
  );
  return lists.flatMap((newestFirst) => newestFirst.reverse()).map((record) => {
    const { box, id, group, state, attempts, message: { name } } = record;
    const why = running.includes(id, group)
      ? `its handler runs, attempt ${attempts + 1}`
      : reasonOf(record, nowMs);
    const dueInMs = Math.max(0, (record.leaseUntilMs ?? record.dueAtMs) - nowMs);
    return { box, id, name, group, state, attempts, dueInMs, why };
  });
}

function reasonOf(record: StoredRecord, nowMs: number): string {
  const { state, dueAtMs, leaseUntilMs, attempts, reason, details } = record;
  const next = dueAtMs > nowMs ? `due in ${dueAtMs - nowMs} ms` : "due now";
  const cause = reason ?? "no reason was given";
  if (state === "in_doubt") {
    return `it is in doubt (${cause}), and waits for bus.resolve or bus.checkAgain`;
  }
  if (leaseUntilMs !== null && leaseUntilMs > nowMs) {
    return `a worker claimed it and did not settle it; its lease ends in ${
      leaseUntilMs - nowMs
    } ms`;
  }
  if (state === "prepared") return `it is a half message without an outcome; its check is ${next}`;
  if (details?.unroutableSinceMs !== undefined) return `${cause}; the next try is ${next}`;
  if (attempts > 0) return `attempt ${attempts} failed (${cause}); the next one is ${next}`;
  return dueAtMs > nowMs ? `it is delayed, and ${next}` : "it is due now";
}
