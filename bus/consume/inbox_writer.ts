/**
 * Stores received messages in the inbox and returns a result for each. Messages that are pushed and messages
 * that are pulled both come here.
 *
 * @module
 */
import { deadlineOnArrival } from "../../core/message/deadline.ts";
import { copyOfMessage, type Message } from "../../core/message/message.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import type { DeliverOptions, DeliveryResult } from "../../core/ports/transport.ts";
import { addToInbox, type Arrival } from "../records/add_to_inbox.ts";
import { failureAnswer, reportConflicts } from "../publish/callback_records.ts";
import { detailsOnArrival } from "../records/delivery_result.ts";
import { newRecord, storedFromBirth } from "../records/new_record.ts";
import type { Settings } from "../settings/settings.ts";
import { withoutSendingFields } from "../dispatch/outgoing.ts";
import type { Publisher } from "../publish/publisher.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";

/** A delivery to one group, as it was stored. */
export interface Received {
  /** The record, new or not. */
  readonly record: NewRecord;
  /** The result; null when it was new. */
  readonly result: DeliveryResult | null;
  /** The record if this bus has claimed it, to be handled now; otherwise null. */
  readonly claimed: StoredRecord | null;
}

/** The result of storing a delivery. */
export interface Taken {
  /** For each message, in order, its result in each group. */
  readonly received: readonly (readonly Received[])[];
  /** The new records that are claimed, which the caller handles. */
  readonly claimed: readonly StoredRecord[];
}

/** What an inbox writer needs. */
interface InboxWriterParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly subscriptions: Subscriptions<Tx>;
  readonly publisher: Publisher<Tx>;
}

/** Stores deliveries. */
export class InboxWriter<Tx> {
  readonly #parts: InboxWriterParts<Tx>;

  constructor(parts: InboxWriterParts<Tx>) {
    this.#parts = parts;
  }

  /**
   * Stores deliveries. New records are returned claimed, for the caller to handle. `capacityFor`
   * says how many it takes of a group; further ones are stored without a claim.
   */
  async receive(
    messages: readonly Message[],
    capacityFor: (group: string) => number,
    options: DeliverOptions,
  ): Promise<Taken> {
    const { settings, subscriptions } = this.#parts;
    // Copies, because the caller may change its messages afterwards.
    const own = messages.map(copyOfMessage);
    await settings.store.ready();
    const nowMs = settings.clock.now();
    const details = detailsOnArrival(options);
    const taken = new Map<string, number>();
    const leaseUntilMs = nowMs + settings.leaseMs;
    const arrivals = own.map((message) => {
      const stored = withoutSendingFields(message);
      const deadlineMs = deadlineOnArrival(message, nowMs, settings.clockToleranceMs);
      return [...subscriptions.of(message.name).keys()].map((group): Arrival => {
        const before = taken.get(group) ?? 0;
        const record = newRecord(stored, { group, dueAtMs: nowMs, deadlineMs, details });
        if (before >= capacityFor(group)) return { record, message };
        taken.set(group, before + 1);
        return { record: { ...record, leaseUntilMs }, message };
      });
    });
    const results = await addToInbox(settings, arrivals.flat(), nowMs, options);
    let next = 0;
    const received = arrivals.map((own) =>
      own.map(({ record }): Received => {
        const result = results[next++] ?? null;
        this.#observe(record, result);
        const isClaimed = result === null && record.leaseUntilMs !== null;
        return {
          record,
          result,
          claimed: isClaimed ? storedFromBirth(record, "inbox", nowMs) : null,
        };
      })
    );
    if (options.publisherLearns === false) await this.#reportRejections(received.flat());
    const claimed = received.flat().flatMap((each) => each.claimed === null ? [] : [each.claimed]);
    return { received, claimed };
  }

  #observe({ id, group, message: { name } }: NewRecord, result: DeliveryResult | null): void {
    const { observe } = this.#parts.settings;
    const about = { box: "inbox", id, name, group } as const;
    if (result?.kind === "rejected") observe({ kind: "rejected", ...about, reason: result.reason });
    else observe({ kind: result === null ? "received" : "redelivered", ...about });
  }

  /**
   * Sends the failure callbacks of rejected messages whose publisher does not get the result of the
   * delivery. This happens before the result is returned, so that no message is parked without its
   * callback. Repeating it changes nothing.
   */
  async #reportRejections(received: readonly Received[]): Promise<void> {
    const { settings, publisher } = this.#parts;
    const { store, clock } = settings;
    const answers: NewRecord[] = [];
    for (const { record: { group, message }, result } of received) {
      if (result?.kind !== "rejected") continue;
      const { reason, code = "rejected" } = result;
      const failed = { message, group, code, reason, attempts: 0, round: 1, mayHaveArrived: false };
      const callback = await failureAnswer(settings, failed, "conflict");
      if (callback !== null) answers.push(publisher.answer(callback));
    }
    if (answers.length === 0) return;
    const added = await store.add("outbox", answers, clock.now());
    answers.forEach((answer, i) => {
      if (added[i]?.added) publisher.committed(answer);
    });
    reportConflicts(settings, answers, added);
  }
}
