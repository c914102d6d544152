/**
 * Makes a waiting message due.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { RecordKey } from "../../core/ports/record.ts";
import type { WhichMessage } from "../api/bus.ts";
import type { Settings } from "../settings/settings.ts";
import { whatIsMissing } from "./retry_by_hand.ts";
import { updateRecord } from "./update_record.ts";

/**
 * Makes a scheduled message due; see `Bus.sendNow`.
 *
 * @throws {AtlastError} `not_found`; `wrong_state` if it is not scheduled.
 */
export async function sendNow<Tx>(
  settings: Settings<Tx>,
  { box, id, group }: Required<WhichMessage>,
): Promise<void> {
  const key: RecordKey = { id, group };
  await updateRecord<Tx, void>(settings, {
    what: `send message "${key.id}" now`,
    box,
    key,
    choose: (record) => {
      if (record === null) {
        throw new AtlastError(
          "not_found",
          `Cannot send message "${key.id}" now: ${whatIsMissing(box, key)}`,
        );
      }
      if (record.state !== "scheduled") {
        throw new AtlastError(
          "wrong_state",
          `Cannot send message "${key.id}" of the ${box} now: it is ${record.state}, want one that is scheduled` +
            (record.state === "failed" ? "; retry() schedules it again" : ""),
        );
      }
      // It is due already, or a worker is working on it.
      if (record.leaseUntilMs !== null || record.dueAtMs <= settings.clock.now()) {
        return { result: undefined };
      }
      return {
        record,
        event: { kind: "send_now", reason: record.reason },
        guard: "anyone while free",
        done: () => {},
      };
    },
  });
}
