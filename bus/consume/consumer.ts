/**
 * Stores deliveries in the inbox, and handles the due messages of the inbox. Deliveries, the inbox
 * loop and ticks call it.
 *
 * @module
 */
import { eventBeforeAttempt } from "../../core/lifecycle/before_attempt.ts";
import type { LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../core/message/message.ts";
import { ALONE_FROM_DEATH } from "../../core/lifecycle/claim_kind.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { DeliverOptions, DeliveryResult } from "../../core/ports/transport.ts";
import { attempt, type Handled, type HandlerResult, type HandlerRun } from "./run_handler.ts";
import { StoredHandlers } from "./handler_transaction.ts";
import { InboxWriter, type Taken } from "./inbox_writer.ts";
import { WorkPace } from "../records/work_pace.ts";
import { InboxClaims } from "./inbox_claims.ts";
import { leaseLost, type LeaseRenewal } from "../records/lease_renewal.ts";
import { BegunRun } from "./begun_run.ts";
import { RecordInHand } from "./record_in_hand.ts";
import { eachInTurn } from "./each_in_turn.ts";
import type { SharedTimer } from "../async/shared_timer.ts";
import type { Subscriber } from "../api/subscriber.ts";
import type { KeyedSemaphore, Permit } from "../async/keyed_semaphore.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import type { Publisher } from "../publish/publisher.ts";
import { StepSettler } from "../records/settle_step.ts";
import { DecisionSettler } from "../records/settle_decisions.ts";
import { decide, type Decision, identityOf, report } from "../records/decision.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";
import { releaseOfInvalidBody } from "./invalid_body.ts";
import { attemptBatch, batchesOf, batchFrom } from "./run_handler_batch.ts";
import { claimAgain } from "./claim_again.ts";
import { earlyEnd } from "./early_end.ts";
import type { HandleOptions } from "./handle_options.ts";
import { unroutable } from "../dispatch/unroutable.ts";

const ACCEPTED: DeliveryResult = { kind: "accepted" };

/** What the consumer needs. */
interface ConsumerParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly subscriptions: Subscriptions<Tx>;
  readonly publisher: Publisher<Tx>;
  readonly leases: LeaseRenewal;
  readonly semaphore: KeyedSemaphore;
  /** Whether the bus takes no more work. Records that wait for their turn are then released. */
  readonly draining: () => boolean;
}

/** Receives messages and handles them. */
export class Consumer<Tx> {
  readonly #parts: ConsumerParts<Tx>;
  readonly #decisions: DecisionSettler<Tx>;
  readonly #handlers: StoredHandlers<Tx>;
  readonly #inboxWriter: InboxWriter<Tx>;
  readonly #pace: WorkPace;
  /** Claims what its handlers are about to work on. */
  readonly claims: InboxClaims<Tx>;

  constructor(parts: ConsumerParts<Tx>) {
    const { settings, publisher } = parts;
    this.#parts = parts;
    this.#pace = new WorkPace(settings.clock, settings.concurrencyOf);
    this.claims = new InboxClaims(parts, this.#pace);
    this.#inboxWriter = new InboxWriter(parts);
    const settler = new StepSettler(settings.store, "inbox", settings.clock);
    this.#handlers = new StoredHandlers({ ...parts, settler });
    this.#decisions = new DecisionSettler({
      ...parts,
      box: "inbox",
      settler,
      // Concurrent settlements share a statement, for instance when a stopping bus releases all
      // records.
      settle: (settlements) => settler.all(settlements),
      callbackRows: (callback) => ({ box: "outbox", records: [publisher.answer(callback)] }),
      added: ({ records }, results) =>
        records.forEach((record, i) => {
          if (results[i]?.added) publisher.committed(record);
        }),
    });
  }

  /** See {@linkcode InboxWriter.receive}. */
  receive(
    messages: readonly Message[],
    capacityFor: (group: string) => number,
    options: DeliverOptions = {},
  ): Promise<Taken> {
    return this.#inboxWriter.receive(messages, capacityFor, options);
  }

  /**
   * Handles a record that was stored before, if it is due and not claimed. Otherwise the result
   * says when it will be.
   */
  async handleAgain(key: RecordKey, stop: AbortSignal, untilMs: number): Promise<DeliveryResult> {
    const { settings, leases } = this.#parts;
    const found = await claimAgain(settings, leases, key);
    if (found.kind !== "claimed") return found;
    const [result] = await this.#handleEach([found.record], stop, { untilMs });
    return result as DeliveryResult;
  }

  /**
   * How many records from the front of `records` go to one call of {@linkcode Consumer.handleAll}: those of one
   * transaction, or those that each are handled in their own; at least one.
   */
  batchSize(records: readonly StoredRecord[]): number {
    const [first] = records;
    if (first === undefined || this.#maxBatch(first) > 1) {
      return batchFrom(records, (record) => this.#maxBatch(record));
    }
    const next = records.findIndex((record) => this.#maxBatch(record) > 1);
    return next < 0 ? records.length : next;
  }

  /**
   * Handles claimed records, those of one group that allow it in one transaction, and settles them. Never rejects: a
   * record that cannot be settled keeps its lease.
   *
   * @returns The results, in the order of `records`.
   */
  async handleAll(
    records: readonly StoredRecord[],
    stop: AbortSignal,
    options: HandleOptions = {},
  ): Promise<DeliveryResult[]> {
    // A loop has divided its records already.
    if (this.batchSize(records) === records.length) {
      return await this.#handleDivided(records, stop, options);
    }
    const ends = new Map<StoredRecord, DeliveryResult>();
    const batches = batchesOf(records, (waiting) => this.batchSize(waiting));
    await Promise.all(batches.map(async (batch) => {
      const each = await this.#handleDivided(batch, stop, options);
      batch.forEach((record, i) => ends.set(record, each[i] as DeliveryResult));
    }));
    return records.map((record) => ends.get(record) as DeliveryResult);
  }

  /** Handles records in one transaction if they allow it, or each in its own. */
  async #handleDivided(
    records: readonly StoredRecord[],
    stop: AbortSignal,
    options: HandleOptions,
  ): Promise<DeliveryResult[]> {
    if (records.length > 1 && this.#maxBatch(records[0] as StoredRecord) > 1) {
      const results = await this.#handleBatch(records, stop, options.untilMs);
      if (results !== null) {
        results.forEach((result, i) => options.ended?.(records[i] as StoredRecord, result));
        return results;
      }
    }
    return await this.#handleEach(records, stop, options);
  }

  /** Handles each record by itself. */
  #handleEach(
    records: readonly StoredRecord[],
    stop: AbortSignal,
    options: HandleOptions,
  ): Promise<DeliveryResult[]> {
    return eachInTurn(
      this.#parts,
      records,
      (record, permit, timer) => this.#handle(record, permit, stop, timer, options),
      options.ended,
    );
  }

  /** Releases a record that this bus will not handle. */
  async release(record: StoredRecord): Promise<void> {
    const event = { kind: "release", delayMs: 0, reason: record.reason } as const;
    await this.#decisions.settle([this.#decide(record, event)], { hasLeases: false });
  }

  /**
   * Handles records in one transaction; null when it was rolled back, and each record must be
   * handled alone.
   */
  async #handleBatch(
    records: readonly StoredRecord[],
    stop: AbortSignal,
    untilMs = Infinity,
  ): Promise<DeliveryResult[] | null> {
    const { settings, subscriptions, leases, semaphore, draining } = this.#parts;
    const lost = new AbortController();
    const owner = { box: "inbox" as const, records, lost: () => lost.abort(leaseLost()) };
    leases.keep(owner);
    const permit = await semaphore.enter((records[0] as StoredRecord).group);
    try {
      const nowMs = settings.clock.now();
      if (draining() || nowMs >= untilMs) return null;
      const now = leases.now();
      if (!records.every((record) => leases.isLeased(record, now))) return null;
      const signal = AbortSignal.any([stop, lost.signal]);
      const runs: HandlerRun<Tx, StoredRecord>[] = [];
      for (const record of records) {
        const subscriber = subscriptions.of(record.message.name).get(record.group);
        if (subscriber === undefined || eventBeforeAttempt(record, nowMs) !== null) return null;
        runs.push({ subscriber, record });
      }
      const measured = this.#pace.begin((records[0] as StoredRecord).group, records.length);
      const ends = await attemptBatch({ settings, handlers: this.#handlers }, runs, signal);
      measured.end();
      if (ends === null) return null;
      return ends.map((end) => this.#kept(end));
    } finally {
      permit.leave();
      leases.release(owner);
    }
  }

  /**
   * The most records in one transaction with this one. A record that is claimed alone or whose
   * handler failed before is handled alone. So is every record if there is no transaction that can
   * be rolled back.
   */
  #maxBatch({ message, group, crashes, attempts, details }: StoredRecord): number {
    const { transactions } = this.#parts.settings.store.capabilities;
    const hasFailed = attempts > 0 || details?.postponed !== undefined;
    if (crashes >= ALONE_FROM_DEATH || hasFailed || !transactions) return 1;
    return this.#parts.subscriptions.of(message.name).get(group)?.maxBatch ?? 1;
  }

  async #handle(
    record: StoredRecord,
    permit: Permit,
    stop: AbortSignal,
    timer: SharedTimer,
    { untilMs = Infinity, attemptFailed }: HandleOptions,
  ): Promise<DeliveryResult> {
    const { settings, leases } = this.#parts;
    const inHand = new RecordInHand(record, stop);
    leases.keep(inHand);
    try {
      // Handlers begin apart, each with its own asynchronous context.
      await undefined;
      const early = this.#notBegun(record, untilMs);
      if (early !== null) return await this.#settle(record, early);
      const prepared = this.#handlers.prepare();
      if (prepared !== null) await prepared;
      const time = this.#pace.begin(record.group, 1);
      const subscriber = this.#subscriberOf(record) as Subscriber<Tx>;
      const run = new BegunRun(record, subscriber, permit, time);
      const result = await attempt(this.#handlers, run, inHand, timer);
      time.end();
      return result.kind === "handled"
        ? this.#kept(result)
        : await this.#ended(record, result, attemptFailed);
    } catch (error) {
      settings.observe({ kind: "error", during: "handle", error });
      return ACCEPTED;
    } finally {
      permit.leave();
      inHand.release();
      leases.release(inHand);
    }
  }

  /** What happens to a record whose handler must not begin; null if it may. */
  #notBegun(record: StoredRecord, untilMs: number): LifecycleEvent | null {
    const early = earlyEnd(this.#parts, record, untilMs);
    if (early !== null || this.#subscriberOf(record) !== undefined) return early;
    const { group, message: { name } } = record;
    return unroutable(
      this.#parts.settings,
      `No subscriber of group "${group}" here takes "${name}"`,
    );
  }

  #subscriberOf({ message: { name }, group }: StoredRecord): Subscriber<Tx> | undefined {
    return this.#parts.subscriptions.of(name).get(group);
  }

  async #ended(
    record: StoredRecord,
    result: Exclude<HandlerResult, Handled>,
    attemptFailed: HandleOptions["attemptFailed"],
  ): Promise<DeliveryResult> {
    switch (result.kind) {
      case "stale":
        this.#parts.settings.observe({ kind: "stale", ...identityOf(record) });
        return ACCEPTED;
      case "released":
        // Its handler may have begun.
        return await this.#settle(record, {
          kind: "release",
          delayMs: result.delayMs ?? 0,
          reason: record.reason,
          mayHaveArrived: true,
        });
      case "fail": {
        const released = releaseOfInvalidBody(this.#parts.settings, record, result);
        return released === null
          ? await this.#settle(record, result, attemptFailed)
          : await this.#settle(record, released);
      }
    }
  }

  /** Reports a record that was settled together with the handler's writes. */
  #kept({ decision, answer }: Handled): DeliveryResult {
    const { settings, publisher } = this.#parts;
    if (decision !== null) report(settings.observe, decision, true);
    if (answer !== null) publisher.committed(answer);
    return { kind: "handled", duplicate: false, reply: decision?.reply ?? null };
  }

  /** Settles a record whose handler's writes were not kept. */
  async #settle(
    record: StoredRecord,
    event: LifecycleEvent,
    attemptFailed?: HandleOptions["attemptFailed"],
  ): Promise<DeliveryResult> {
    const decision = this.#decide(record, event);
    const applied = await this.#decisions.settle([decision]);
    if (applied.length === 0) return ACCEPTED;
    attemptFailed?.(record);
    const { state, reason, dueAtMs } = decision.patch;
    return state === "failed"
      ? { kind: "failed", duplicate: false, reason: reason ?? "" }
      : { kind: "accepted", retryAfterMs: Math.max(0, dueAtMs - this.#parts.settings.clock.now()) };
  }

  #decide(record: StoredRecord, event: LifecycleEvent): Decision {
    const { settings, subscriptions } = this.#parts;
    const own = subscriptions.of(record.message.name).get(record.group)?.retry;
    return decide(settings, record, event, policyOf(settings, record, own));
  }
}
