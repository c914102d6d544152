/**
 * Receives deliveries and stores them in the inbox. A bus that has not been started also handles them within
 * the delivery, because no loop would.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";
import { STOPPING_RETRY_MS } from "../../core/ports/arrival.ts";
import { limitOf, type SendLimit } from "../../core/ports/send_limit.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { DeliverOptions, DeliveryResult } from "../../core/ports/transport.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { admitting } from "./admission.ts";
import { combined } from "../records/delivery_result.ts";
import type { Consumer } from "./consumer.ts";
import type { Received } from "./inbox_writer.ts";
import { retry } from "../records/retry_by_hand.ts";
import { Surplus } from "../records/surplus.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";
import { resultIfUnreadable } from "./unreadable_body.ts";

/** The result for a message that arrives while the bus stops. */
export const BUS_STOPPING: DeliveryResult = {
  kind: "refused",
  reason: "The bus is stopping",
  code: "stopping",
  retryAfterMs: STOPPING_RETRY_MS,
};

/** What a delivery receiver needs. */
interface DeliveryReceiverParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly consumer: Consumer<Tx>;
  readonly subscriptions: Subscriptions<Tx>;
  /** Aborts handlers in flight when the bus stops. */
  readonly signal: AbortSignal;
  /** Whether the bus is running, so that loops handle the inbox. */
  readonly running: () => boolean;
  /** How many more records of a group the loops take directly, without a claim. */
  readonly capacityFor: (group: string) => number;
  /** Hands a claimed record to the loops. */
  readonly push: (record: StoredRecord) => void;
  /** Wakes the loops to claim records. */
  readonly wake: () => void;
  /**
   * Called with the delay, in milliseconds, until a record is due that only an alarm will handle.
   */
  readonly left: (afterMs: number) => void;
}

/** Receives deliveries. */
export class DeliveryReceiver<Tx> {
  /** The records that are left to other workers. */
  readonly surplus: Surplus<Tx>;
  readonly #parts: DeliveryReceiverParts<Tx>;

  constructor(parts: DeliveryReceiverParts<Tx>) {
    this.#parts = parts;
    this.surplus = new Surplus(parts.settings, "inbox", parts.running);
  }

  /** See `Receiver.deliver`. */
  async deliver(
    messages: readonly Message[],
    options: DeliverOptions = {},
  ): Promise<DeliveryResult[]> {
    const { settings } = this.#parts;
    const limit = limitOf(messages[0]);
    return await admitting(
      settings,
      messages,
      options,
      (admitted) => this.#deliver(admitted, options, limit),
    );
  }

  async #deliver(
    messages: readonly Message[],
    options: DeliverOptions,
    limit: SendLimit | undefined,
  ): Promise<DeliveryResult[]> {
    const running = this.#parts.running();
    const { received } = await this.#parts.consumer.receive(
      messages,
      (group) => running ? this.#parts.capacityFor(group) : Infinity,
      options,
    );
    // A running bus answers when the message is stored. A resting bus handles it now, because it
    // works only within calls.
    const results = running
      ? await this.#handOver(received.flat(), options)
      : await this.#handle(received.flat(), options, limit).finally(() => this.#ownEnded());
    let next = 0;
    return received.map((own) =>
      combined(own.map(() => results[next++] as DeliveryResult), options.redelivers)
    );
  }

  /** A loop that was started meanwhile may have lacked the places of these handlers. */
  #ownEnded(): void {
    if (this.#parts.running()) this.#parts.wake();
  }

  async #handOver(
    received: readonly Received[],
    options: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    const { push, wake } = this.#parts;
    for (const { claimed } of received) if (claimed !== null) push(claimed);
    const revived = await Promise.all(received.map((each) => this.#revived(each, options)));
    // Records beyond the capacity of the loops, and revived ones, must be claimed.
    const isLeft = ({ claimed, result }: Received, i: number) =>
      (claimed === null && result === null) || revived[i] === true;
    if (received.some(isLeft)) {
      wake();
      this.surplus.left();
    }
    return await Promise.all(
      received.map(async ({ record, result }, i): Promise<DeliveryResult> => {
        if (result !== null && !revived[i]) return result;
        return await this.#resultIfUnreadable(record, options) ?? { kind: "accepted" };
      }),
    );
  }

  async #resultIfUnreadable(
    { message, group }: Received["record"],
    { readsBodies = false }: DeliverOptions,
  ): Promise<DeliveryResult | null> {
    const { settings, subscriptions } = this.#parts;
    const subscriber = subscriptions.of(message.name).get(group);
    if (!readsBodies || subscriber === undefined) return null;
    return await resultIfUnreadable(settings.clock, subscriber, message);
  }

  async #handle(
    received: readonly Received[],
    options: DeliverOptions,
    limit: SendLimit | undefined,
  ): Promise<DeliveryResult[]> {
    const { consumer, signal, settings, left } = this.#parts;
    const claimed = received.flatMap((each) => each.claimed ?? []);
    const untilMs = settings.clock.now() + (limit?.leftMs() ?? Infinity);
    let failed = 0;
    const ends = await consumer.handleAll(claimed, signal, {
      untilMs,
      attemptFailed: () => void failed++,
    });
    const firsts = received.map((each) =>
      each.claimed === null ? null : ends[claimed.indexOf(each.claimed)] ?? null
    );
    // Duplicates come second, because one delivery may contain the same message twice.
    const results = await Promise.all(received.map(async (each, i) => {
      const result = firsts[i] ?? await this.#handledAgain(each, options, untilMs);
      if (result.kind !== "accepted") return result;
      // Another worker has claimed it, or it could not be settled: it can be claimed when the lease
      // expires.
      const { retryAfterMs = settings.leaseMs } = result;
      if (options.redelivers !== true) left(retryAfterMs);
      return { ...result, retryAfterMs };
    }));
    const now = results.filter((result) => result.kind === "handled" && !result.duplicate);
    limit?.handled(now.length, failed);
    return results;
  }

  async #handledAgain(
    received: Received,
    options: DeliverOptions,
    untilMs: number,
  ): Promise<DeliveryResult> {
    const { result, record: { id, group } } = received;
    if (result === null) return { kind: "accepted" };
    if (result.kind !== "accepted" && !await this.#revived(received, options)) return result;
    return await this.#parts.consumer.handleAgain({ id, group }, this.#parts.signal, untilMs);
  }

  /** Retries a failed record from the start if the sender asks for it; returns whether it did. */
  async #revived({ record, result }: Received, { afreshAtMs }: DeliverOptions): Promise<boolean> {
    if (result?.kind !== "failed" || afreshAtMs === undefined) return false;
    const { id, group } = record;
    const { store, expiry } = this.#parts.settings;
    const stored = await store.find("inbox", { id, group });
    // A delivery sent before the failure is no request to retry: it is the delivery that failed, or
    // a copy of it.
    if (stored === null || afreshAtMs < failedAt(stored, expiry.inbox.failedMs)) return false;
    try {
      await retry(this.#parts.settings, "inbox", { id, group });
    } catch (error) {
      // Another process has already scheduled the retry.
      if (!hasCode(error, "wrong_state")) throw error;
    }
    return true;
  }
}

/** When a record failed, in Unix milliseconds. If that is unknown, when it was added. */
function failedAt({ expiresAtMs, createdAtMs }: StoredRecord, failedMs: number | null): number {
  if (expiresAtMs === null || failedMs === null) return createdAtMs;
  return Math.max(createdAtMs, expiresAtMs - failedMs);
}
