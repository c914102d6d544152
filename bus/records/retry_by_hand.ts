/**
 * Retries a message by hand.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { RecordKey } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import { updateRecord } from "./update_record.ts";

/**
 * Schedules a failed message again from its first attempt; see `Bus.retry`.
 *
 * @param force Whether receivers must take it although they may have pruned its id; only in the
 * outbox.
 * @throws {AtlastError} `not_found`; `wrong_state` if it is not failed; `invalid_option` for
 * `force` in the inbox.
 */
export async function retry<Tx>(
  settings: Settings<Tx>,
  box: Box,
  key: RecordKey,
  force = false,
): Promise<void> {
  if (force && box === "inbox") {
    throw new AtlastError(
      "invalid_option",
      `Cannot force message "${key.id}" of the inbox: want one of the outbox, which a receiver refused`,
    );
  }
  await updateRecord(settings, {
    what: `retry message "${key.id}"`,
    box,
    key,
    choose: (record) => {
      if (record === null) {
        throw new AtlastError(
          "not_found",
          `Cannot retry message "${key.id}": ${whatIsMissing(box, key)}`,
        );
      }
      if (record.state !== "failed") {
        throw new AtlastError(
          "wrong_state",
          `Cannot retry message "${key.id}" of the ${box}: it is ${record.state}, want one that is failed`,
        );
      }
      return {
        record,
        event: { kind: "retry", force },
        guard: "anyone while free",
        done: () => {},
      };
    },
  });
}

/** Why a record was not found, for an error. */
export function whatIsMissing(box: Box, { group }: RecordKey): string {
  if (box === "outbox") return "the outbox has none with this id";
  return group === ""
    ? "got no group, want the group of the inbox that has it"
    : `the inbox has none with this id in group "${group}"`;
}
