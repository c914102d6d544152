/**
 * Settles messages that a push provider accepted and later dead-lettered. `Bus.deadLetter` calls it
 * with the provider's report.
 *
 * @module
 */
import type { DeadLetter, DeadLetterStanding } from "../api/dead_letter.ts";
import { AtlastError } from "../../core/errors.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { checkDeadLetter } from "../settings/call_options.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Settings } from "../settings/settings.ts";
import { updateRecord } from "../records/update_record.ts";

/** How far the clock of the provider may be behind, in milliseconds. */
const MAX_CLOCK_ERROR_MS = 10_000;

/** Marks the reported message as failed in the outbox; see `Bus.deadLetter`. */
export async function deadLettered<Tx>(
  settings: Settings<Tx>,
  dispatcher: Dispatcher<Tx>,
  report: DeadLetter,
): Promise<DeadLetterStanding> {
  checkDeadLetter(report);
  const { id, reason: given, isPublisherNotified = false, message, proof } = report;
  const { saidAtMs = Infinity } = report;
  const { store, observe, redact } = settings;
  const reason = redact?.(given) ?? given;
  await store.ready();
  const isOurs = message?.id === id && proof !== undefined &&
    await settings.transport.provesSent?.(message, proof) === true;
  return await updateRecord<Tx, DeadLetterStanding>(settings, {
    what: `fail message "${id}"`,
    box: "outbox",
    key: { id, group: "" },
    choose: async (record) => {
      if (record?.state === "failed") return { result: "failed" };
      if (record?.state === "scheduled") {
        return { result: record.leaseUntilMs === null ? "scheduled" : "sending" };
      }
      if (record?.state === "succeeded") {
        const sentAtMs = settledAt(record, settings.expiry.outbox.succeededMs);
        if (saidAtMs + MAX_CLOCK_ERROR_MS < sentAtMs) return { result: "succeeded" };
        return {
          record,
          event: { kind: "dead_letter", reason },
          guard: "anyone while free",
          settle: (decision) => dispatcher.giveUp(decision, isPublisherNotified),
          done: () => "failed",
        };
      }
      if (record === null && isOurs && message !== undefined) {
        const isKept = await dispatcher.keepFailed(message, reason, isPublisherNotified);
        return isKept ? { result: "failed" } : undefined;
      }
      observe({
        kind: "error",
        during: "dead letter",
        error: new AtlastError(
          "not_found",
          `Cannot fail message "${id}", which was given up: the outbox has none such (${reason})`,
        ),
      });
      return { result: "unknown" };
    },
  });
}

/** When a record was settled, in Unix milliseconds; when it was added where that is not known. */
function settledAt({ expiresAtMs, createdAtMs }: StoredRecord, keptMs: number | null): number {
  return expiresAtMs === null || keptMs === null ? createdAtMs : expiresAtMs - keptMs;
}
