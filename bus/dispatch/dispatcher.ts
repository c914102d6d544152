/**
 * Hands due messages of the outbox to the transport, and settles each by the transport's result.
 *
 * @module
 */
import { expiresAt } from "../../core/lifecycle/expiry.ts";
import { eventBeforeAttempt } from "../../core/lifecycle/before_attempt.ts";
import type { LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../core/message/message.ts";
import { reasonOf } from "../../core/lifecycle/outcome.ts";
import type { AddResult } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import { addToInbox, type Arrival } from "../records/add_to_inbox.ts";
import { answerToFailure, reportConflicts } from "../publish/callback_records.ts";
import { failureOfRejection } from "../records/delivery_result.ts";
import { limitSend, type SendLimit } from "../../core/ports/send_limit.ts";
import { Resumption } from "./resumption.ts";
import { messageOfRound } from "../publish/callback_message.ts";
import { hasRoute, sendResultAt } from "../settings/check_answers.ts";
import { leaseLost, type LeaseRenewal, LOST_LEASE_PAUSE_MS } from "../records/lease_renewal.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { newRecord, storedFromBirth } from "../records/new_record.ts";
import { detailsOfSent, outgoing, withoutSendingFields } from "./outgoing.ts";
import { eventAfterSending } from "./send_event.ts";
import { StepSettler } from "../records/settle_step.ts";
import { unlessAborted } from "../async/deadline.ts";
import { decide, type Decision, identityOf } from "../records/decision.ts";
import { type CallbackRows, DecisionSettler } from "../records/settle_decisions.ts";
import { distinctTargets, type Target, targetOf } from "../records/target.ts";
import { groupsHere, groupsOf, inboxRows } from "../publish/local_delivery.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";
import { OutboxClaims } from "./outbox_claims.ts";
import { unroutable } from "./unroutable.ts";

/** The results of a call of {@linkcode Dispatcher.send}. */
interface DispatchCounts {
  /** How many messages were sent. */
  readonly sent: number;
  /** How many messages were handled within the sends, by buses of this process; see {@linkcode SendLimit}. */
  readonly handled: number;
  /** How many attempts failed, those of handlers within the sends included. */
  readonly failed: number;
}

/** Called with the records of a batch and the results of sending them. */
type Noted = (
  batch: readonly StoredRecord[],
  results: readonly (SendResult | undefined)[],
) => void;

/** Sends the messages of the outbox. */
export class Dispatcher<Tx> {
  /** What it claims. */
  readonly claims: OutboxClaims<Tx>;
  readonly #settings: Settings<Tx>;
  readonly #leases: LeaseRenewal;
  readonly #subscriptions: Subscriptions<Tx>;
  readonly #received: (target: Target) => void;
  readonly #refused: (name: string) => void;
  readonly #decisions: DecisionSettler<Tx>;
  readonly #resumption: Resumption<Tx>;
  readonly #freed: () => void;

  /**
   * Creates a dispatcher. It calls `received` after it added records to the inbox,
   * `refused` with a name that the transport refused as unroutable although `routes` returned true, and
   * `freed` after it made waiting records of the outbox due, or left some to other instances.
   */
  constructor(
    settings: Settings<Tx>,
    leases: LeaseRenewal,
    subscriptions: Subscriptions<Tx>,
    received: (target: Target) => void,
    refused: (name: string) => void,
    freed: () => void,
  ) {
    this.claims = new OutboxClaims(settings, leases);
    this.#settings = settings;
    this.#leases = leases;
    this.#subscriptions = subscriptions;
    this.#received = received;
    this.#refused = refused;
    this.#resumption = new Resumption(settings, freed);
    this.#freed = freed;
    this.#decisions = new DecisionSettler({
      settings,
      box: "outbox",
      leases,
      settler: new StepSettler(settings.store, "outbox", settings.clock),
      settle: (settlements) => settings.store.settle("outbox", settlements),
      callbackRows: (callback) => this.#locate(callback),
      added: (rows) => this.#notifyInbox(rows),
    });
  }

  /**
   * Sends claimed records and settles each by its result. Records not begun by `untilMs`, in Unix
   * milliseconds, are released.
   */
  async send(
    records: readonly StoredRecord[],
    signal: AbortSignal,
    untilMs = Infinity,
  ): Promise<DispatchCounts> {
    const within = { handled: 0, failed: 0 };
    if (records.length === 0) return { sent: 0, ...within };
    const limit: SendLimit = {
      leftMs: () => untilMs - this.#settings.clock.now(),
      handled: (count, failed) => {
        within.handled += count;
        within.failed += failed;
      },
    };
    const lost = new AbortController();
    const owner = { box: "outbox" as const, records, lost: () => lost.abort(leaseLost()) };
    this.#leases.keep(owner);
    const unlessLost = AbortSignal.any([signal, lost.signal]);
    try {
      // The routes of a bus that is stopping do not count: the records are released instead.
      const { sendable, decisions } = signal.aborted
        ? { sendable: records, decisions: [] }
        : this.#sort(records);
      const batches = chunks(sendable, this.#settings.transport.capabilities.maxBatch);
      const settled: Promise<Decision[]>[] = [];
      const settle = (some: Decision[]): void => {
        const settling = this.#decisions.settle(some);
        // `settling` is awaited below, after the last batch is sent. This handler keeps an earlier
        // rejection from ending the process.
        settling.catch(() => {});
        settled.push(settling);
      };
      settle(decisions);
      // Others learn of what is left to them at once, not after the last batch.
      if (decisions.some(isLeft)) settled[0]?.then(this.#freed, () => {});
      const outcomes: (readonly [readonly StoredRecord[], readonly (SendResult | undefined)[]])[] =
        [];
      const note: Noted = (...outcome) => void outcomes.push(outcome);
      for (const batch of batches) {
        const inTime = this.#settings.clock.now() < untilMs;
        settle(
          inTime ? await this.#sendBatch(batch, unlessLost, note, limit) : this.#giveBack(batch),
        );
      }
      const applied = (await Promise.all(settled)).flat();
      // Only what is settled can be found.
      for (const [batch, results] of outcomes) await this.#resumption.noted(batch, results);
      return {
        sent: applied.filter(({ event }) => event.kind === "succeed").length,
        handled: within.handled,
        failed: within.failed + applied.filter(({ event }) => event.kind === "fail").length,
      };
    } finally {
      this.#leases.release(owner);
    }
  }

  /** Releases records that this bus will not send. */
  async release(records: readonly StoredRecord[]): Promise<void> {
    await this.#decisions.settle(this.#giveBack(records), { hasLeases: false });
  }

  /**
   * Settles a message as failed that was sent and then dead-lettered by the provider; false when
   * its record has changed meanwhile.
   *
   * @param isPublisherNotified Whether its publisher was notified already.
   */
  async giveUp(decision: Decision, isPublisherNotified: boolean): Promise<boolean> {
    const applied = await this.#decisions.settle([decision], {
      guard: "anyone while free",
      isPublisherNotified,
    });
    return applied.length > 0;
  }

  /** Stores a dead-lettered message as failed whose record was pruned. */
  async keepFailed(
    message: Message,
    reason: string,
    isPublisherNotified: boolean,
  ): Promise<boolean> {
    const { store, clock, expiry, observe } = this.#settings;
    const nowMs = clock.now();
    const record: NewRecord = {
      ...newRecord(withoutSendingFields(message), { details: detailsOfSent(message) }),
      state: "failed",
      reason,
      expiresAtMs: expiresAt(nowMs, expiry.outbox.failedMs),
    };
    const stored = storedFromBirth(record, "outbox", nowMs);
    const event = { kind: "dead_letter", reason } as const;
    const failed = { record: stored, patch: stored, event };
    const callback = isPublisherNotified
      ? null
      : await answerToFailure(this.#settings, "outbox", failed);
    const rows = callback === null ? null : this.#locate(callback);
    const added = await store.transaction(async (tx) => {
      const [result] = await store.add("outbox", [record], nowMs, tx);
      const isKept = result?.added === true || this.#mayLackCallback(result, reason);
      if (isKept && rows !== null) {
        const results = await store.add(rows.box, rows.records, nowMs, tx);
        reportConflicts(this.#settings, rows.records, results);
      }
      return isKept;
    }, { isOwn: true });
    if (added && rows !== null) this.#notifyInbox(rows);
    if (added) observe({ kind: "failed", ...identityOf(stored), attempts: 0, reason });
    return added;
  }

  /**
   * Without a transaction, an earlier call may have stored the message and crashed before it added
   * the failure callback.
   */
  #mayLackCallback(result: AddResult | undefined, reason: string): boolean {
    if (this.#settings.store.capabilities.transactions) return false;
    if (result === undefined || result.added) return false;
    return result.existing.state === "failed" && result.existing.reason === reason;
  }

  #giveBack(records: readonly StoredRecord[], delayMs = 0): Decision[] {
    return records.map((record) =>
      this.#decide(record, { kind: "release", delayMs, reason: record.reason })
    );
  }

  /** Separates the records that can be sent from those that are settled without an attempt. */
  #sort(records: readonly StoredRecord[]): { sendable: StoredRecord[]; decisions: Decision[] } {
    const nowMs = this.#settings.clock.now();
    const sendable: StoredRecord[] = [];
    const decisions: Decision[] = [];
    for (const record of records) {
      const event = this.#eventBeforeSending(record, nowMs);
      if (event !== null) decisions.push(this.#decide(record, event));
      else {
        this.claims.sends(record);
        sendable.push(record);
      }
    }
    return { sendable, decisions };
  }

  #eventBeforeSending(record: StoredRecord, nowMs: number): LifecycleEvent | null {
    const end = eventBeforeAttempt(record, nowMs);
    if (end !== null) return end;
    const { message: { name, headers }, details } = record;
    if (details?.groups !== undefined) return null;
    try {
      if (hasRoute(this.#settings.routing, name, headers)) return null;
    } catch (thrown) {
      // An error of the transport's `routes` must not block the other records of the batch.
      const reason = reasonOf(thrown);
      return { kind: "fail", reason, retryable: true, mayHaveArrived: false, error: thrown };
    }
    // It stays due, so that its age shows when nobody takes it.
    if (this.claims.leaves(record)) return { kind: "release", delayMs: null };
    return unroutable(this.#settings, `No route here takes "${name}"`);
  }

  /** Sends messages. Those whose groups use this store are added to its inbox instead. */
  async #carry(
    batch: readonly StoredRecord[],
    startedAtMs: number,
    signal: AbortSignal,
    limit: SendLimit,
  ): Promise<SendResult[]> {
    const { transport } = this.#settings;
    const messages = batch.map((record) => outgoing(record, startedAtMs));
    if (limit.leftMs() < Infinity) limitSend(messages, limit);
    const groups = batch.map((record) => groupsOf(this.#settings, record));
    if (groups.every((each) => each === null)) return await transport.send(messages, signal);
    const arrivals = batch.flatMap((record, i) =>
      inboxRows({ ...record, message: messageOfRound(record) }, groups[i] ?? [])
        .map((row): Arrival => ({ record: row, message: messages[i] as Message }))
    );
    const results = await addToInbox(this.#settings, arrivals, startedAtMs);
    this.#notifyInbox({ box: "inbox", records: arrivals.map(({ record }) => record) });
    const rejected = new Map<string, SendResult>();
    arrivals.forEach(({ record }, i) => {
      const result = results[i];
      if (result?.kind === "rejected") rejected.set(record.id, failureOfRejection(result));
    });
    const rest = messages.filter((_, i) => groups[i] === null);
    const sent = rest.length === 0 ? [] : await transport.send(rest, signal);
    let next = 0;
    return groups.map((own, i): SendResult =>
      own === null
        ? sent[next++] as SendResult
        : rejected.get((batch[i] as StoredRecord).id) ?? { kind: "sent" }
    );
  }

  async #sendBatch(
    all: readonly StoredRecord[],
    signal: AbortSignal,
    noted: Noted,
    limit: SendLimit,
  ): Promise<Decision[]> {
    if (signal.aborted) return this.#giveBack(all);
    // Check the leases only now: this process may have been paused since the claim, and others may
    // have claimed the records.
    const now = this.#leases.now();
    const over = all.filter((record) => !this.#leases.isLeased(record, now));
    const batch = over.length === 0 ? all : all.filter((record) => !over.includes(record));
    const givenBack = this.#giveBack(over, LOST_LEASE_PAUSE_MS);
    if (batch.length === 0) return givenBack;
    let results: readonly SendResult[];
    let error: unknown;
    const startedAtMs = this.#settings.clock.now();
    try {
      // The bus must be able to stop even if the transport ignores the signal.
      results = await unlessAborted(() => this.#carry(batch, startedAtMs, signal, limit), signal);
    } catch (thrown) {
      error = thrown;
      results = batch.map(() => ({ kind: "failed", reason: reasonOf(thrown), retryable: true }));
    }
    const nowMs = this.#settings.clock.now();
    const outcomes: (SendResult | undefined)[] = [];
    const sent = batch.map((record, i) => {
      const result = sendResultAt(results, i);
      if (result?.kind === "unroutable") this.#refused(record.message.name);
      outcomes.push(result);
      const event = this.#resumable(eventAfterSending(this.#settings, result, signal.aborted));
      const failed = event.kind === "fail" && error !== undefined ? { ...event, error } : event;
      return this.#decide(record, failed, nowMs, startedAtMs);
    });
    noted(batch, outcomes);
    return [...givenBack, ...sent];
  }

  /** Only with the option `resumeOnRecovery` a record says for which destination it waits. */
  #resumable(event: LifecycleEvent): LifecycleEvent {
    if (event.kind !== "fail" || event.unreachable === undefined) return event;
    if (this.#settings.resumePerSecond !== null) return event;
    const { unreachable: _, ...failure } = event;
    return failure;
  }

  #decide(
    record: StoredRecord,
    event: LifecycleEvent,
    nowMs?: number,
    startedAtMs?: number,
  ): Decision {
    const policy = policyOf(this.#settings, record);
    return decide(this.#settings, record, event, policy, null, nowMs, startedAtMs);
  }

  #notifyInbox({ box, records }: CallbackRows): void {
    if (box !== "inbox") return;
    const targets = distinctTargets(records.map((record) => targetOf(box, record)));
    for (const target of targets) this.#received(target);
  }

  /**
   * The rows of a failure callback. If this bus subscribes to it, it goes directly to the inbox, so
   * that the transport that just failed is not needed.
   */
  #locate(message: Message): CallbackRows {
    // In a shared store, groups of other processes receive it too.
    const groups = groupsHere(this.#settings, { message }) ??
      [...this.#subscriptions.of(message.name).keys()];
    return {
      box: groups.length > 0 ? "inbox" : "outbox",
      records: (groups.length > 0 ? groups : [""]).map((group) => newRecord(message, { group })),
    };
  }
}

/** Whether a decision leaves a record to other instances. */
function isLeft({ event }: Decision): boolean {
  return event.kind === "release";
}

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}
