/**
 * The messages of the inbox that have been due the longest.
 *
 * @module
 */
import {
  type DueMessages,
  groupedByName,
  type OldestDueRequest,
} from "../../../core/ports/oldest_due.ts";
import type { Script } from "./client.ts";
import { keyOfMember } from "./keys.ts";
import { timeField } from "./record_text.ts";
import { OLDEST_DUE_SCRIPT } from "./scripts.ts";
import type { Call } from "./writes.ts";

/** How many records of each group one call looks at. */
const WINDOW = 100;

/** See `StoreHints.oldestDue`. `queues` index the records. */
export async function oldestDue(
  run: (script: Script, call: Call) => Promise<unknown[]>,
  { nowMs, dueSinceMs }: OldestDueRequest,
  queues: Call["keys"],
): Promise<DueMessages[]> {
  const args = ["inbox", timeField(nowMs), timeField(dueSinceMs), String(WINDOW)];
  const answer = (await run(OLDEST_DUE_SCRIPT, { keys: queues, args })).map(String);
  const records = Array.from({ length: Math.floor(answer.length / 4) }, (_, i) => {
    const [member = "", due, kind, name = ""] = answer.slice(4 * i, 4 * i + 4);
    return {
      name: JSON.parse(name.slice(1)) as string,
      group: keyOfMember(member).group,
      sinceMs: Number(due),
      isClaimed: kind === "c",
    };
  });
  return groupedByName(records);
}
