/**
 * Cancels a message. This succeeds only if every claim of it ended with proof that nothing was sent.
 *
 * @module
 */
import type { Cancellation } from "../api/cancellation.ts";
import { AtlastError } from "../../core/errors.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import { isHalf } from "../publish/receipt.ts";
import { updateRecord } from "./update_record.ts";

/** What this process holds to send. */
interface ClaimedToSend {
  /** Takes a record out that was not begun, under this very claim; undefined when there is none. */
  takeBack(record: StoredRecord): StoredRecord | undefined;
}

/**
 * Withdraws a message that was not sent.
 *
 * @throws {AtlastError} `not_found`, or `wrong_state` for a half message, unless it was sent or cancelled.
 */
export async function cancel<Tx>(
  settings: Settings<Tx>,
  claimed: ClaimedToSend,
  id: string,
): Promise<Cancellation> {
  return await updateRecord<Tx, Cancellation>(settings, {
    what: `cancel message "${id}"`,
    box: "outbox",
    key: { id, group: "" },
    choose: (record) => {
      if (record === null) {
        throw new AtlastError(
          "not_found",
          `Cannot cancel message "${id}": the outbox has none with this id`,
        );
      }
      mustBeNoHalf(record);
      if (record.state === "cancelled") return { result: "cancelled" };
      if (record.state !== "scheduled" || mayHaveArrived(record)) return { result: "too_late" };
      // Whoever else has claimed it may be sending it; a lease that ran out says that its worker may have.
      const own = record.leaseUntilMs === null ? undefined : claimed.takeBack(record);
      if (record.leaseUntilMs !== null && own === undefined) return { result: "too_late" };
      // If settling fails, it may have been withdrawn all the same, so that what was taken back must not be sent
      // any more from here. If it was not, it is claimed again when its lease is over.
      return {
        record,
        event: { kind: "cancel" },
        guard: own === undefined ? "anyone while free" : "holder",
        done: () => "cancelled",
      };
    },
  });
}

function mayHaveArrived({ crashes, details }: StoredRecord): boolean {
  return crashes > 0 || details?.mayHaveArrived === true;
}

/**
 * Whether the operation of a half message took place is for its fence to say. Once it has, whoever asks again is told
 * by the record what became of it, so that one that was confirmed must not read as one that was not.
 */
function mustBeNoHalf(record: StoredRecord): void {
  const { id, state } = record;
  const isConfirmed = state === "scheduled" && isHalf(record);
  if (!isConfirmed && state !== "prepared" && state !== "in_doubt") return;
  throw new AtlastError(
    "wrong_state",
    `Cannot cancel message "${id}": ` +
      (isConfirmed
        ? "it is a half message whose operation took place, want it sent"
        : `it is ${state}, want its half message's own cancel(), or resolve() by hand once it is in_doubt`),
  );
}
