/**
 * Moves waiting messages of the inbox from a group that nobody handles to another one.
 *
 * Each message is claimed, added to the other group, and then cancelled in its own. If the process dies in between,
 * the message is in both groups; a second call finds it in the other group and only cancels it here.
 *
 * @module
 */
import type { Move, Moved } from "../api/orphans.ts";
import { claimKindOf } from "../../core/lifecycle/claim_kind.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { addToInbox } from "./add_to_inbox.ts";
import { decide } from "./decision.ts";
import { newRecord } from "./new_record.ts";
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
  const nowMs = clock.now();
  const isExpired = leaseUntilMs !== null || crashes > 0;
  const [claimed] = await store.claim({
    box: "inbox",
    limit: 1,
    // Without a lease, a record that is due later is claimed too.
    nowMs: isExpired ? nowMs : Math.max(nowMs, dueAtMs),
    leaseUntilMs: nowMs + leaseMs,
    key: { id, group },
    kind: claimKindOf({ leaseUntilMs, crashes }),
  });
  if (claimed === undefined) return false;
  const { message, deadlineMs, retry, details, createdAtMs } = claimed;
  const principal = details?.principal;
  const record = newRecord(message, {
    group: to,
    dueAtMs: claimed.dueAtMs,
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
    : { kind: "release", delayMs: 0, reason: claimed.reason } as const;
  const decision = decide(settings, claimed, event, policyOf(settings, claimed));
  return await settleDecision(settings, decision) && isThere;
}
