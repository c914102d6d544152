/**
 * The results of deliveries: for redelivered messages, conflicts of ids, and several groups
 * together.
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

/** The answer to a message whose id belongs to a different message. */
export const ID_CONFLICT: Rejection = {
  kind: "rejected",
  code: "id_conflict",
  reason: failureText("id_conflict"),
};

/** The details of a new record: the principal that delivered it, if it has a name. */
export function detailsOnArrival({ principal }: DeliverOptions): RecordDetails | null {
  const name = principal?.name ?? "";
  return name === "" ? null : { principal: name };
}

/**
 * The answer to a message whose id is stored already: a conflict if the stored message differs,
 * null if it is the same. Publishers are compared only if a verifier named a principal for both.
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

/** The send result that corresponds to a rejection. */
export function failureOfRejection({ reason, code }: Rejection): SendResult {
  const failed = { kind: "failed", retryable: false, reason } as const;
  return code === undefined ? failed : { ...failed, code };
}

/** The answer to a redelivery, according to the stored record. */
export function resultOf(
  { state, reply, reason }: Pick<StoredRecord, "state" | "reply" | "reason">,
): DeliveryResult {
  if (state === "succeeded") return { kind: "handled", duplicate: true, reply };
  if (state === "failed") return { kind: "failed", duplicate: true, reason: reason ?? "" };
  return { kind: "accepted" };
}

/**
 * Combines the results of all groups of a message into one: `accepted` before `failed` before
 * `handled`. A rejection by one group wins over the others. If the sender redelivers for a group
 * that is still at work, that group is answered first, and the rejection with the last delivery.
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
    // Several groups have no single reply.
    if (found?.kind === "handled") return results.length === 1 ? found : { ...found, reply: null };
    if (found !== undefined) return found;
  }
  return { kind: "no_subscriber" };
}

/**
 * The first of two results of the same kind; of two that are accepted, the one that is due first.
 */
function sooner(first: DeliveryResult | undefined, second: DeliveryResult): DeliveryResult {
  if (first?.kind !== "accepted" || second.kind !== "accepted") return first ?? second;
  return (second.retryAfterMs ?? Infinity) < (first.retryAfterMs ?? Infinity) ? second : first;
}
