/**
 * Runs a handler in a transaction of the store: its writes, the settlement of its record and its reply commit
 * together or not at all.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { FirstUse, LazyTransaction, SettleStep } from "../../core/ports/store.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import type { ConsumeMiddleware } from "../api/middleware.ts";
import { type TimeLimit, unlessAborted } from "../async/deadline.ts";
import { Beginning } from "./beginning.ts";
import { answerConflict, checkRequestedCallbacks } from "../publish/callback_records.ts";
import type { OwnTransaction } from "../publish/joined_transactions.ts";
import type { Publisher } from "../publish/publisher.ts";
import { type Decision, settlementOf } from "../records/decision.ts";
import { leaseLost, type LeaseRenewal, LOST_LEASE_PAUSE_MS } from "../records/lease_renewal.ts";
import type { StepEnd, StepSettler } from "../records/settle_step.ts";
import { largestBody, type Settings } from "../settings/settings.ts";
import { untilSettled } from "../records/until_settled.ts";
import { SharedSettlements } from "./shared_settlements.ts";
import { TransactionOnUse, type TransactionSteps } from "./transaction_on_use.ts";
import {
  decideHandled,
  type Handled,
  type HandlerHost,
  type HandlerResult,
  type HandlerRun,
  runHandler,
} from "./run_handler.ts";

/**
 * The delay of a message whose transaction could not begin, in milliseconds: the store has no connection for it now.
 */
const NOT_BEGUN_PAUSE_MS = 1_000;

/**
 * How long to wait before the second rerun of a handler at most, in milliseconds, and the longest wait. Each rerun
 * doubles it, up to that.
 */
const RERUN_MS = 10;
const LONGEST_RERUN_MS = 500;

/** The end of a run whose lease expired before its handler began: another worker may handle the message. */
const LEASE_OVER: HandlerResult = { kind: "released", delayMs: LOST_LEASE_PAUSE_MS };

/** A message of the inbox, and its subscriber. */
type StoredRun<Tx> = HandlerRun<Tx, StoredRecord>;

/** What running stored handlers needs. */
interface StoredHandlersParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly publisher: Publisher<Tx>;
  readonly settler: StepSettler<Tx>;
  readonly leases: LeaseRenewal;
}

/** Runs handlers on a bus with a store. */
export class StoredHandlers<Tx> implements HandlerHost<Tx, StoredRecord> {
  readonly claims = true;
  readonly clock: Clock;
  readonly onConsume: readonly ConsumeMiddleware<Tx>[];
  readonly handlerTimeoutMs: number;
  readonly publisher: Publisher<Tx>;
  readonly responder: () => Promise<string>;
  readonly #settings: Settings<Tx>;
  readonly #settler: StepSettler<Tx>;
  readonly #leases: LeaseRenewal;
  readonly #shared: SharedSettlements<Tx>;
  readonly #onUse: TransactionSteps<Tx, StoredRun<Tx>, Handled, HandlerResult>;

  constructor({ settings, publisher, settler, leases }: StoredHandlersParts<Tx>) {
    this.clock = settings.clock;
    this.onConsume = settings.onConsume;
    this.handlerTimeoutMs = settings.handlerTimeoutMs;
    this.publisher = publisher;
    this.responder = () => settings.responder.name();
    this.#settings = settings;
    this.#settler = settler;
    this.#leases = leases;
    this.#shared = new SharedSettlements({ settings, settler, leases });
    this.#onUse = {
      transact: (run, limit, work) =>
        this.#transacted(
          run,
          limit,
          (beginning) =>
            this.publisher.transactionOnUse(
              this.#firstUse(run, beginning),
              (own, lazy) => beginning.during(work(own, lazy)),
            ),
        ),
      inTransaction: (run, limit, handler, own, lazy) =>
        limit.race(() => this.#inTransaction(run, () => handler, own, limit, lazy)),
      unused: (run, limit, done) => this.#settled(run, done, limit, true),
    };
  }

  get maxBodyBytes(): number {
    return largestBody(this.#settings);
  }

  /**
   * What to await before a transaction begins, because that may occupy the store's only connection;
   * null for nothing.
   */
  prepare(): Promise<unknown> | null {
    const { store, responder } = this.#settings;
    return store.capabilities.transactions && !responder.isKnown ? responder.name() : null;
  }

  /** A conflict with other transactions is no fault of the handler's. Its own claim must still be valid. */
  async rerun(
    { record, subscriber }: StoredRun<Tx>,
    thrown: unknown,
    reruns: number,
    signal: AbortSignalLike,
  ): Promise<boolean> {
    const { store, clock, random } = this.#settings;
    const isConflict = subscriber.transaction !== false && store.capabilities.transactions &&
      store.hints?.failureOf?.(thrown) === "contention";
    if (!isConflict || !this.#leases.isLeased(record)) return false;
    // The settlement may have begun.
    this.#leases.continues(record);
    if (reruns === 0) return true;
    const pauseMs = random() * Math.min(RERUN_MS * 2 ** reruns, LONGEST_RERUN_MS);
    let cancel = () => {};
    await unlessAborted(
      () => new Promise<void>((resolve) => cancel = clock.after(pauseMs, resolve)),
      signal,
    ).catch(() => {}).finally(() => cancel());
    return this.#leases.isLeased(record);
  }

  /** Whether the claim of a message is still valid by the clocks of this process, so that its handler may begin. */
  isLeased({ record }: StoredRun<Tx>): boolean {
    return this.#leases.isLeased(record);
  }

  check({ record: { message } }: StoredRun<Tx>): void {
    checkRequestedCallbacks(this.#settings, message);
  }

  complete(run: StoredRun<Tx>, body: unknown, limit: TimeLimit): Promise<HandlerResult> {
    // Reading the body may have taken long, and this process may have stood still meanwhile.
    if (!this.isLeased(run)) return Promise.resolve(LEASE_OVER);
    const { transactions, lazyTransactions } = this.#settings.store.capabilities;
    if (run.subscriber.transaction === false || !transactions) {
      return limit.race(() => this.#withoutTransaction(run, body, limit));
    }
    if (!lazyTransactions) return this.#inTransactionAtOnce(run, body, limit);
    const wanted = new TransactionOnUse(this.#onUse, run, limit);
    return wanted.during(() => runHandler(this, run, body, wanted, limit));
  }

  async #inTransactionAtOnce(
    run: StoredRun<Tx>,
    body: unknown,
    limit: TimeLimit,
  ): Promise<HandlerResult> {
    let isOver = false;
    const transact = (beginning: Beginning) =>
      beginning.at((begun) =>
        this.publisher.transaction(async (own) => {
          // In an async function, because a store may not expect work that throws before it returns a promise.
          begun();
          // Waiting for the transaction may have taken long too. It is rolled back, because a commit can fail.
          isOver = !this.isLeased(run);
          if (isOver) throw leaseLost();
          const handler = () => runHandler(this, run, body, own, limit);
          return await limit.race(() => this.#inTransaction(run, handler, own, limit));
        })
      );
    try {
      return await this.#transacted(run, limit, transact);
    } catch (thrown) {
      if (isOver) return LEASE_OVER;
      throw thrown;
    }
  }

  /** Runs a transaction. One that could not begin is no failed attempt. */
  async #transacted(
    run: StoredRun<Tx>,
    limit: TimeLimit,
    transact: (beginning: Beginning) => Promise<HandlerResult>,
  ): Promise<HandlerResult> {
    const beginning = new Beginning(limit);
    let isKept = false;
    try {
      const result = await transact(beginning);
      isKept = true;
      return result;
    } catch (thrown) {
      const isOther = limit.signal.aborted || hasCode(thrown, "lease_lost") ||
        this.#settings.store.hints?.failureOf?.(thrown) === "contention";
      if (!beginning.hasFailed || isOther) throw thrown;
      this.#settings.observe({ kind: "error", during: "handle", error: thrown });
      return { kind: "released", delayMs: NOT_BEGUN_PAUSE_MS };
    } finally {
      const resuming = this.#leases.resume(run.record, isKept);
      if (resuming !== null) await resuming;
    }
  }

  #firstUse({ subscriber, record }: StoredRun<Tx>, beginning: Beginning): FirstUse {
    const { box, id, group, epoch } = record;
    return {
      box,
      lease: { key: { id, group }, epoch },
      limitMs: subscriber.timeoutMs ?? this.handlerTimeoutMs,
      changed: (state) => beginning.changed(state),
      locked: (isSnapshot) => {
        if (isSnapshot) this.#leases.suspend(record);
      },
    };
  }

  async #inTransaction(
    run: StoredRun<Tx>,
    handler: () => Promise<Handled>,
    own: OwnTransaction<Tx>,
    limit: TimeLimit,
    lazy?: LazyTransaction,
  ): Promise<Handled> {
    const done = await own.during(handler);
    if (lazy?.close() === true) return await this.#settled(run, done, limit, true);
    this.#ending(run, limit);
    const { decided, step } = this.#decide(run, done);
    const added = await this.#settler.within(own.tx, step);
    const conflict = conflictOf(decided, added);
    if (conflict !== null) {
      this.#settings.observe({ kind: "error", during: "reply", error: conflict });
      // Thrown inside the transaction, this rolls it back and fails the attempt.
      throw conflict;
    }
    return kept(decided, added);
  }

  async #withoutTransaction(
    run: StoredRun<Tx>,
    body: unknown,
    limit: TimeLimit,
  ): Promise<Handled> {
    const done = await runHandler(this, run, body, { tx: undefined as Tx }, limit);
    return await this.#settled(run, done, limit, false);
  }

  /**
   * Settles in a statement or transaction that others share. What the handler did stays, so a settlement that fails is
   * repeated.
   *
   * @param failsOnConflict Whether a reply that cannot be added fails the attempt; nothing is written then.
   */
  async #settled(
    run: StoredRun<Tx>,
    done: Handled,
    limit: TimeLimit,
    failsOnConflict: boolean,
  ): Promise<Handled> {
    this.#ending(run, limit);
    run.ended?.();
    // What the handler did stays, so a settlement that has to wait must not fail the attempt.
    limit.met();
    if (done.reply !== null) return await this.#settledApart(run, done, failsOnConflict);
    const decision = await this.#shared.settle({ run, done });
    if (decision === null) return await this.#settledApart(run, done, failsOnConflict, 1);
    if (decision === false) throw leaseLostAtEnd();
    return { kind: "handled", value: done.value, reply: null, decision, answer: null };
  }

  async #settledApart(
    run: StoredRun<Tx>,
    done: Handled,
    failsOnConflict: boolean,
    earlierTries = 0,
  ): Promise<Handled> {
    const { decided, step } = this.#decide(run, done);
    let added: StepEnd = null;
    let conflict = null as AtlastError | null;
    const settling = async () => {
      conflict = null;
      try {
        added = await this.#settler.alone(step, (results) => {
          conflict = conflictOf(decided, results);
          if (conflict !== null && failsOnConflict) throw conflict;
        });
      } catch (error) {
        if (conflict === null || error !== conflict) throw error;
      }
      return [added !== null];
    };
    const [applied] = await untilSettled(
      this.#settings,
      this.#leases,
      [decided.decision],
      true,
      settling,
      earlierTries,
    );
    // Its answer was lost, and it added its records.
    if (applied === true && added === null) added = step.records.map(() => ({ added: true }));
    if (conflict !== null) {
      this.#settings.observe({ kind: "error", during: "reply", error: conflict });
      if (failsOnConflict) throw conflict;
    }
    return kept(decided, added);
  }

  /** Notes that the claim of a handled message ends. */
  #ending(run: StoredRun<Tx>, limit: TimeLimit): void {
    // A handler that continued after its timeout must not settle the record.
    limit.throwIfAborted();
    this.#leases.ending(run.record);
  }

  /** Decides the settlement of a handled message. */
  #decide(
    run: StoredRun<Tx>,
    done: Handled,
  ): { decided: Handled & { decision: Decision }; step: SettleStep } {
    const decided = this.decide(run, done);
    const { decision, answer } = decided;
    const records = answer === null ? [] : [answer];
    return { decided, step: { settlement: settlementOf(decision), box: "outbox", records } };
  }

  /**
   * Adds the decision on its record, and the record of its reply, to the result of a handler.
   *
   * @param nowMs See {@linkcode decideHandled}.
   */
  decide(
    run: StoredRun<Tx>,
    done: Handled,
    nowMs?: number,
  ): Handled & { readonly decision: Decision } {
    return {
      kind: "handled",
      value: done.value,
      reply: done.reply,
      decision: decideHandled(this.#settings, run, done, nowMs),
      answer: done.reply === null ? null : this.publisher.answer(done.reply),
    };
  }
}

/** The error for a reply whose id a different message has; null if it was added. */
function conflictOf({ answer }: Handled, added: StepEnd): AtlastError | null {
  return answer === null ? null : answerConflict(answer, added?.[0]);
}

function kept(decided: Handled, added: StepEnd): Handled {
  // Thrown inside the transaction, this rolls it back.
  if (added === null) throw leaseLostAtEnd();
  return decided.answer === null || added[0]?.added ? decided : { ...decided, answer: null };
}

function leaseLostAtEnd(): AtlastError {
  return new AtlastError(
    "lease_lost",
    "Cannot commit this attempt: another worker has claimed the message",
  );
}
