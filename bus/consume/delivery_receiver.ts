/**
 * Receives deliveries and stores them in the inbox. A bus that has not been started also handles them within
 * the delivery, because no loop would.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { DeliverOptions, DeliveryResult } from "../../core/ports/transport.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { admitting } from "./admission.ts";
import { combined } from "../records/delivery_result.ts";
import type { Consumer } from "./consumer.ts";
import type { Received } from "./inbox_writer.ts";
import { retry } from "../records/retry_by_hand.ts";
import type { Settings } from "../settings/settings.ts";

/** What a delivery receiver needs. */
interface DeliveryReceiverParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly consumer: Consumer<Tx>;
  /** Aborts what is under way when the bus stops. */
  readonly signal: AbortSignal;
  /** Whether loops handle what is in the inbox. */
  readonly running: () => boolean;
  /** How many more records of a group the loops take without a claim. */
  readonly capacityFor: (group: string) => number;
  /** Hands a claimed record to the loops. */
  readonly push: (record: StoredRecord) => void;
  /** Tells the loops that there is something to claim. */
  readonly wake: () => void;
  /** Is told in how many milliseconds something is due that nobody here sees to. */
  readonly left: (afterMs: number) => void;
}

/** Takes deliveries in. */
export class DeliveryReceiver<Tx> {
  readonly #parts: DeliveryReceiverParts<Tx>;

  constructor(parts: DeliveryReceiverParts<Tx>) {
    this.#parts = parts;
  }

  /** See `Receiver.deliver`. */
  async deliver(
    messages: readonly Message[],
    options: DeliverOptions = {},
  ): Promise<DeliveryResult[]> {
    const { settings } = this.#parts;
    return await admitting(
      settings,
      messages,
      options,
      (admitted) => this.#deliver(admitted, options),
    );
  }

  async #deliver(
    messages: readonly Message[],
    options: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    const running = this.#parts.running();
    const { received } = await this.#parts.consumer.receive(
      messages,
      (group) => running ? this.#parts.capacityFor(group) : Infinity,
      options,
    );
    // A running bus answers as soon as the message is stored; a resting one has only this request to work in.
    const results = running
      ? await this.#handOver(received.flat(), options)
      : await this.#handle(received.flat(), options);
    let next = 0;
    return received.map((own) =>
      combined(own.map(() => results[next++] as DeliveryResult), options.redelivers)
    );
  }

  async #handOver(
    received: readonly Received[],
    options: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    const { push, wake } = this.#parts;
    for (const { claimed } of received) if (claimed !== null) push(claimed);
    const revived = await Promise.all(received.map((each) => this.#revived(each, options)));
    // What found no room here, or was revived, is there for the loop to claim.
    const isLeft = ({ claimed, result }: Received, i: number) =>
      (claimed === null && result === null) || revived[i] === true;
    if (received.some(isLeft)) wake();
    return received.map(({ result }, i) =>
      result === null || revived[i] ? { kind: "accepted" } : result
    );
  }

  async #handle(
    received: readonly Received[],
    options: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    const { consumer, signal, settings, left } = this.#parts;
    const claimed = received.flatMap((each) => each.claimed ?? []);
    const ends = await consumer.handleAll(claimed, signal);
    const firsts = received.map((each) =>
      each.claimed === null ? null : ends[claimed.indexOf(each.claimed)] ?? null
    );
    // After the first ones, as the same message may have come twice.
    return await Promise.all(received.map(async (each, i) => {
      const result = firsts[i] ?? await this.#handledAgain(each, options);
      if (result.kind !== "accepted") return result;
      // Another has it now, or it could not be settled: it is free again when the lease is over.
      const { retryAfterMs = settings.leaseMs } = result;
      if (options.redelivers !== true) left(retryAfterMs);
      return { ...result, retryAfterMs };
    }));
  }

  async #handledAgain(received: Received, options: DeliverOptions): Promise<DeliveryResult> {
    const { result, record: { id, group } } = received;
    if (result === null) return { kind: "accepted" };
    if (result.kind !== "accepted" && !await this.#revived(received, options)) return result;
    return await this.#parts.consumer.handleAgain({ id, group }, this.#parts.signal);
  }

  /** Whether it had failed, and is to be tried from the start because the sender means it so. */
  async #revived({ record, result }: Received, { afreshAtMs }: DeliverOptions): Promise<boolean> {
    if (result?.kind !== "failed" || afreshAtMs === undefined) return false;
    const { id, group } = record;
    const { store, expiry } = this.#parts.settings;
    const stored = await store.find("inbox", { id, group });
    // A delivery from before the failure is no retry: it is the one that failed, or a copy of it.
    if (stored === null || afreshAtMs < failedAt(stored, expiry.inbox.failedMs)) return false;
    try {
      await retry(this.#parts.settings, "inbox", { id, group });
    } catch (error) {
      // Someone else was first, and has it tried already.
      if (!hasCode(error, "wrong_state")) throw error;
    }
    return true;
  }
}

/** When a record failed, in Unix milliseconds; when it was added, at the earliest, where that is not known. */
function failedAt({ expiresAtMs, createdAtMs }: StoredRecord, failedMs: number | null): number {
  if (expiresAtMs === null || failedMs === null) return createdAtMs;
  return Math.max(createdAtMs, expiresAtMs - failedMs);
}
