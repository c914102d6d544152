/**
 * What becomes of a message whose transport took it, to deliver it by itself, and then gave it up.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import type { Message } from "../message.ts";
import type { StoredRecord } from "../ports.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Settings } from "./options.ts";
import { untilApplied } from "./until_applied.ts";

/** A message that was sent and then given up. */
export interface Undeliverable {
  /** Its id. */
  readonly id: string;
  /** Why it was given up, in words an operator can use. */
  readonly reason: string;
  /** Whether its publisher has had word of it already, from the receiver; false if not given. */
  readonly isTold?: boolean;
  /**
   * The message itself, to be kept as failed if the outbox has forgotten it by now and `proof` shows that it
   * was sent from here.
   */
  readonly message?: Message;
  /** What proves to the transport that this service sent `message`. */
  readonly proof?: string;
  /**
   * When whoever gave it up said so, in Unix milliseconds; now if not given. What was sent again after that
   * is left alone.
   */
  readonly saidAtMs?: number;
}

/** How an undeliverable message stands. */
export type UndeliverableStanding =
  /** It is kept as failed. */
  | "failed"
  /** It is being sent just now, so that this may be news of that very sending: say it again later. */
  | "sending"
  /** It will be sent again anyway, so this news is old. */
  | "scheduled"
  /** It was sent again since, so this news is old. */
  | "succeeded"
  /** The outbox has no such message that could fail, and nothing proves that it ever had. */
  | "unknown";

/** How far the clock of whoever says so may be behind, in milliseconds. */
const MAX_CLOCK_ERROR_MS = 10_000;

/** Fails it in the outbox. */
export async function undeliverable<Tx>(
  settings: Settings<Tx>,
  dispatcher: Dispatcher<Tx>,
  { id, reason: given, isTold = false, message, proof, saidAtMs = Infinity }: Undeliverable,
): Promise<UndeliverableStanding> {
  const { store, observe, redact } = settings;
  const reason = redact?.(given) ?? given;
  await store.ready();
  const isOurs = message?.id === id && proof !== undefined &&
    await settings.transport.provesSent?.(message, proof) === true;
  return await untilApplied(`fail message "${id}"`, async () => {
    const record = await store.find("outbox", { id, group: "" });
    if (record?.state === "failed") return "failed";
    if (record?.state === "scheduled") {
      return record.leaseUntilMs === null ? "scheduled" : "sending";
    }
    if (record?.state === "succeeded") {
      const sentAtMs = settledAt(record, settings.expiry.outbox.succeededMs);
      if (saidAtMs + MAX_CLOCK_ERROR_MS < sentAtMs) return "succeeded";
      if (await dispatcher.giveUp(record, reason, isTold)) return "failed";
    } else if (record === null && isOurs && message !== undefined) {
      if (await dispatcher.keepFailed(message, reason, isTold)) return "failed";
    } else {
      observe({
        kind: "error",
        during: "undeliverable",
        error: new AtlastError(
          "not_found",
          `Cannot fail message "${id}", which was given up: the outbox has none such (${reason})`,
        ),
      });
      return "unknown";
    }
    return undefined;
  });
}

/** When a record was settled, in Unix milliseconds; when it was added where that is not known. */
function settledAt({ expiresAtMs, createdAtMs }: StoredRecord, keptMs: number | null): number {
  return expiresAtMs === null || keptMs === null ? createdAtMs : expiresAtMs - keptMs;
}
