/**
 * Moves waiting messages of the inbox from a group that nobody handles to another one.
 *
 * Each message is claimed, added to the other group, and then cancelled in its own. If the process dies in between,
 * the message is in both groups; a second call finds it in the other group and only cancels it here. A message that
 * waits for a later time is made due before the claim. If the process dies right after that, its delay is lost.
 *
 * @module
 */
import type { Move, Moved } from "../api/orphans.ts";
import { claimKindOf } from "../../core/lifecycle/claim_kind.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { addToInbox } from "./add_to_inbox.ts";
import { decide } from "./decision.ts";
import { newRecord } from "./new_record.ts";
import { sendNow } from "./send_now.ts";
import { settleDecision } from "./settle_decisions.ts";

/** Moves messages; see `Bus.moveToGroup`. */
export async function moveToGroup<Tx>(
  settings: Settings<Tx>,
  { name, from, to, limit }: Required<Move>,
): Promise<Moved> {
  const { store } = settings;
  await store.ready();
  const states = ["scheduled"] as const;
  const found = await store.list({ box: "inbox", states, name, group: from, limit });
  let moved = 0;
  // The oldest first, as the other group handles them in this order.
  for (const record of found.reverse()) {
    if (await moveOne(settings, record, to)) moved += 1;
  }
  return { moved, left: found.length - moved };
}

async function moveOne<Tx>(
  settings: Settings<Tx>,
  { id, group, leaseUntilMs, crashes, dueAtMs }: StoredRecord,
  to: string,
): Promise<boolean> {
  const { store, clock, leaseMs } = settings;
  // Only a record that is due can be claimed. A claim with a later time would take a lease that expires before it.
  if (dueAtMs > clock.now() && !await isMadeDue(settings, { id, group })) return false;
  const nowMs = clock.now();
  const [claimed] = await store.claim({
    box: "inbox",
    limit: 1,
    nowMs,
    leaseUntilMs: nowMs + leaseMs,
    key: { id, group },
    kind: claimKindOf({ leaseUntilMs, crashes }),
  });
  if (claimed === undefined) return false;
  const { message, deadlineMs, retry, details, createdAtMs } = claimed;
  const principal = details?.principal;
  const record = newRecord(message, {
    group: to,
    dueAtMs,
    deadlineMs,
    retry,
    details: principal === undefined ? null : { principal },
  });
  // It arrived when its record was made: the other group may have handled and pruned it since.
  const arrival = { record, message: { ...message, firstAttemptAtMs: createdAtMs } };
  const [result] = await addToInbox(settings, [arrival], nowMs);
  const isThere = result?.kind !== "rejected";
  const event = isThere
    ? { kind: "move", to } as const
    : { kind: "release", delayMs: Math.max(0, dueAtMs - nowMs), reason: claimed.reason } as const;
  const decision = decide(settings, claimed, event, policyOf(settings, claimed));
  return await settleDecision(settings, decision) && isThere;
}

/** Makes a record due; false if it is no longer scheduled. One that a worker has claimed is left as it is. */
async function isMadeDue<Tx>(settings: Settings<Tx>, key: RecordKey): Promise<boolean> {
  try {
    await sendNow(settings, { box: "inbox", ...key });
    return true;
  } catch (error) {
    if (hasCode(error, "not_found") || hasCode(error, "wrong_state")) return false;
    throw error;
  }
}
