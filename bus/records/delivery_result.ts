/**
 * The result of a delivery whose id the inbox already has or remembers.
 *
 * @module
 */
import type { RecordDetails } from "../../core/lifecycle/record_details.ts";
import { failureText } from "../../core/lifecycle/failure_code.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import type { DeliverOptions, DeliveryResult, SendResult } from "../../core/ports/transport.ts";
import { isSameMessage } from "../../core/message/same_message.ts";

/** A delivery that can never be taken. */
export type Rejection = DeliveryResult & { readonly kind: "rejected" };

/** The answer to a different message that has the id of one that is known. */
export const ID_CONFLICT: Rejection = {
  kind: "rejected",
  code: "id_conflict",
  reason: failureText("id_conflict"),
};

/** What a record keeps of who delivered it. */
export function detailsOnArrival({ principal }: DeliverOptions): RecordDetails | null {
  const name = principal?.name ?? "";
  return name === "" ? null : { principal: name };
}

/**
 * The answer to a different message that has the id of one that is here; null for the same one again.
 * Publishers are told apart only where a verifier named a principal for both.
 */
export function conflictWith(
  { message, details }: Pick<NewRecord, "message" | "details">,
  existing: Pick<StoredRecord, "message" | "details">,
): Rejection | null {
  const [mine, other] = [details?.principal, existing.details?.principal];
  const isOther = mine !== undefined && other !== undefined && mine !== other;
  if (!isOther && isSameMessage(message, existing.message)) return null;
  return ID_CONFLICT;
}

/** What a rejection means for whoever sends. */
export function failureOfRejection({ reason, code }: Rejection): SendResult {
  const failed = { kind: "failed", retryable: false, reason } as const;
  return code === undefined ? failed : { ...failed, code };
}

/** What a redelivery is answered by the record that is there. */
export function resultOf(
  { state, reply, reason }: Pick<StoredRecord, "state" | "reply" | "reason">,
): DeliveryResult {
  if (state === "succeeded") return { kind: "handled", duplicate: true, reply };
  if (state === "failed") return { kind: "failed", duplicate: true, reason: reason ?? "" };
  return { kind: "accepted" };
}

/**
 * What a message's groups together make of its delivery: the answer that leaves most to do wins. A message
 * that one group rejects is answered so, even where another group still works on it, unless whoever delivers
 * comes again for that: then it is answered so in the end.
 *
 * @param redelivers See `DeliverOptions.redelivers`.
 */
export function combined(
  results: readonly DeliveryResult[],
  redelivers: boolean = false,
): DeliveryResult {
  const waits = redelivers &&
    results.some((result) => result.kind === "accepted" && result.retryAfterMs !== undefined);
  const rejected = waits ? undefined : results.find(({ kind }) => kind === "rejected");
  if (rejected !== undefined) return rejected;
  const order = ["accepted", "failed", "handled"] as const;
  for (const kind of order) {
    const found = results.filter((result) => result.kind === kind).reduce(sooner, undefined);
    // With several groups there is no one reply.
    if (found?.kind === "handled") return results.length === 1 ? found : { ...found, reply: null };
    if (found !== undefined) return found;
  }
  return { kind: "no_subscriber" };
}

/** Of two results of a kind the first one; of two that wait the one that is due first. */
function sooner(first: DeliveryResult | undefined, second: DeliveryResult): DeliveryResult {
  if (first?.kind !== "accepted" || second.kind !== "accepted") return first ?? second;
  return (second.retryAfterMs ?? Infinity) < (first.retryAfterMs ?? Infinity) ? second : first;
}
