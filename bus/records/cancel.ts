/**
 * Cancels a message. This succeeds only if every claim of it ended with proof that nothing was sent.
 *
 * @module
 */
import type { Cancellation } from "../api/cancellation.ts";
import { AtlastError } from "../../core/errors.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { checkId } from "../../core/message/id.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import { isHalf } from "../publish/receipt.ts";
import { updateRecord } from "./update_record.ts";

/** The records that this process has claimed for sending. */
export interface ClaimedToSend {
  /**
   * Removes a record that was claimed under this epoch and not begun; returns undefined when there
   * is none.
   */
  takeBack(record: StoredRecord): StoredRecord | undefined;
}

/**
 * Withdraws a message that was not sent, within `tx` if it is given.
 *
 * @throws {AtlastError} `not_found`, or `wrong_state` for a half message, unless it was sent or cancelled;
 * `unsupported` or `no_transaction` for a `tx` of something else.
 */
export async function cancel<Tx>(
  settings: Settings<Tx>,
  claimed: ClaimedToSend,
  id: string,
  tx?: Tx | SqlClient,
): Promise<Cancellation> {
  checkId(id);
  if (tx !== undefined && !settings.store.capabilities.transactions) {
    throw new AtlastError(
      "unsupported",
      `Cannot cancel message "${id}" in a transaction: the store has none, want no tx`,
    );
  }
  return await updateRecord<Tx, Cancellation>(settings, {
    what: `cancel message "${id}"`,
    box: "outbox",
    key: { id, group: "" },
    tx,
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
      // Another worker that has claimed it may be sending it; if the lease has expired, it may have
      // been sent.
      // After a rollback nobody would send it until the lease expires, so within a transaction it is
      // left to this process.
      const own = record.leaseUntilMs === null || tx !== undefined
        ? undefined
        : claimed.takeBack(record);
      if (record.leaseUntilMs !== null && own === undefined) return { result: "too_late" };
      // If settling fails, the record may be cancelled all the same, so this process must not send
      // it any more. If it is not cancelled, it is claimed again when its lease expires.
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
 * Refuses half messages. Only the fence decides an undecided one; and the record of a confirmed one
 * must not become `cancelled`, because a participant that asks again would take that for an aborted
 * operation.
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
