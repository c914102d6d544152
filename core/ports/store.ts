/**
 * The store port: what the bus asks of a store.
 *
 * It is narrow, has no policy and takes batches. A store applies patches that {@linkcode transition} decided
 * and decides nothing itself, so that stores cannot differ in a rule. Capabilities declare what differs between
 * adapters.
 *
 * @module
 */
import type { AddResult, ReturnResult } from "./add_result.ts";
import type { InspectionHints } from "./inspection.ts";
import type { NotificationHints } from "./notification_hints.ts";
import type { NewRecord, RecordKey, StoredRecord } from "./record.ts";
import type { ClaimRequest, GroupNames, Untaken, UntakenRequest } from "./claim_request.ts";
import type { StoreClock } from "./store_clock.ts";
import type { StoreCapabilities } from "./store_capabilities.ts";
import type { Box, Patch, State } from "../lifecycle/lifecycle.ts";
import type { HealthWarning } from "./health_warning.ts";
import type { DueMessages, OldestDueRequest } from "./oldest_due.ts";
import type { Remembering, ReturningRecord } from "./inbox_memory.ts";
import type { SqlClient } from "./platform.ts";
import type { ListQuery, StateCounts } from "./listing.ts";
import type { UnroutableRequest } from "../lifecycle/unroutable.ts";
import type { WaitingPage } from "../lifecycle/unreachable.ts";

export type { AddResult, ListQuery, ReturnResult, StateCounts };

/** A claim on a record. */
export interface Lease {
  /** Which record. */
  readonly key: RecordKey;
  /** The epoch it was claimed with. */
  readonly epoch: number;
}

/**
 * Who may settle a record, beside the epoch and the state that it must have. A settlement whose guard does not hold
 * is stale: it changes nothing, and the answer for it is false.
 *
 * - `holder`: the worker that holds the claim. It applies only while the record has a lease, expired or not, so that a
 *   settlement that comes twice applies once.
 * - `anyone while free`: an operator or a provider. It applies only while the record has no lease.
 * - `anyone`: the outcome of a half message, which is the same whoever brings it. It applies with and without a lease.
 */
export type SettlementGuard = "holder" | "anyone while free" | "anyone";

/** A change of a record's standing under the epoch it was seen with. */
export interface Settlement extends Lease {
  /** Who may settle. */
  readonly guard: SettlementGuard;
  /** Where the record must stand for the change to apply. */
  readonly from: State;
  /**
   * The record as it was under this epoch, for stores that write only what changes; not given by those
   * who do not know it.
   */
  readonly seen?: Patch & Pick<StoredRecord, "reply">;
  /** The change. */
  readonly patch: Patch;
  /** What the handler returned, as JSON; not given leaves what is there. */
  readonly reply?: string | null;
}

/** A settlement, and what is to be added if it applies. */
export interface SettleStep {
  /** The settlement. */
  readonly settlement: Settlement;
  /** On which side to add. */
  readonly box: Box;
  /** What to add; may be empty. */
  readonly records: readonly NewRecord[];
}

/** The record that a transaction belongs to which begins at its first use. */
export interface FirstUse {
  /** Its box. */
  readonly box: Box;
  /** The claim under which it is worked on. */
  readonly lease: Lease;
  /**
   * How long the transaction may take, in milliseconds; Infinity for no limit. If its process is gone, the store may end
   * it some time after that, so that the record can be claimed again.
   */
  readonly limitMs: number;
  /**
   * Called with `waiting` when the first use waits for the transaction to begin, then with `begun`, or with `not begun`
   * if it could not begin.
   */
  readonly changed: (state: "waiting" | "begun" | "not begun") => void;
  /**
   * Called when the record is locked, where the store has locks. `isSnapshot` says that the transaction fails if the
   * record is changed before its end, also by a renewal of its lease.
   */
  readonly locked: (isSnapshot: boolean) => void;
}

/** A transaction that begins at its first use. */
export interface LazyTransaction {
  /**
   * Ends the transaction if it was not used: it then never begins, and refuses later use with `transaction_ended`. False
   * if it was used.
   */
  close(): boolean;
}

/**
 * Optional methods that save work or find mistakes early. A store may leave out each of them, and stays correct; each
 * says what that costs.
 *
 * @typeParam Tx What the store calls a transaction.
 */
export interface StoreHints<Tx = unknown> extends NotificationHints<Tx>, InspectionHints {
  /**
   * The bus calls it first when a publish in `tx` begins, and uses the result as `tx` from then on. So the store can
   * tell later whether the transaction is still the same one. Without it, a publish that begins in one transaction
   * and runs in the next one of the same client is not noticed.
   *
   * @throws {AtlastError} `no_transaction` if `tx` is visibly none.
   */
  joining?(tx: Tx | SqlClient): Tx | SqlClient;

  /**
   * Adds records outside a transaction, as `Store.add` does, unless that has to wait for longer than `waitMs`
   * milliseconds for another transaction that adds one of their keys. Then nothing is added, and it returns null. It may
   * return null for several records for other reasons too. Without it, a publish with an id waits together with those
   * of the same turn.
   */
  addSoon?(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
    waitMs: number,
  ): Promise<AddResult[] | null>;

  /**
   * Adds a record and notifies others, as `Store.add` and then `Store.notify` do, in one statement. Null if two are
   * better, and nothing was done. Without it, each such publish costs one more request.
   */
  addAndNotify?(
    box: Box,
    record: NewRecord,
    nowMs: number,
    sender?: object,
  ): Promise<AddResult> | null;

  /**
   * Makes records due that have no lease and that wait for a route or a subscriber, where `isTaken` says that there is
   * one now. Returns how many. It changes nothing else of them, and may leave some out. Without it, they wait for
   * their next try, half a minute at most.
   */
  makeUnroutableDue?(box: Box, request: UnroutableRequest): Promise<number>;

  /**
   * Finds records of the outbox without a lease that are due later than `afterMs` and whose details have
   * `unreachable`, among the first `limit` records that are due after that time. It may leave some out. Without it,
   * the option `resumeOnRecovery` does nothing on this store.
   */
  findUnreachable?(afterMs: number, limit: number): Promise<WaitingPage>;

  /**
   * The groups and names of due records that nobody takes: those of which no record has a lease that has not expired.
   * It may look only at the records of each group that are due first. Without it, a record whose name no instance
   * subscribes to stays as it is, without a reason, until one does, and a bus does not leave messages of the outbox for
   * which it has no route to other instances: it puts them off for half a minute.
   */
  untaken?(box: Box, request: UntakenRequest): Promise<Untaken[]>;

  /**
   * The messages of the inbox that have been due the longest, grouped by name and group. It looks at no more than
   * `OLDEST_DUE_WINDOW` records, or as many of each group, and never counts a whole table. Without it, a
   * bus does not notice messages that nobody handles.
   */
  oldestDue?(request: OldestDueRequest): Promise<DueMessages[]>;

  /**
   * What an error of a call means: `contention` if the call did nothing because it conflicted with others, and may
   * succeed when it is made again; `refused` if it did nothing because the store does not accept what it was given, or
   * waited too long for it; null if neither is certain. Without it, an error of a shared statement is the error of
   * all records in it.
   */
  failureOf?(error: unknown): "contention" | "refused" | null;

  /**
   * What an operator should mend in the server, such as a table that it does not vacuum. It reads statistics, never
   * the records. `health()` calls it at most once a minute. Without it, `health()` has no such warnings.
   */
  warnings?(): Promise<readonly HealthWarning[]>;
}

/**
 * Where outbox and inbox live.
 *
 * Safety rests on two guards that every store must keep: a key is added once, and a settlement
 * applies only under the epoch of its claim. Clocks decide only when, never who.
 *
 * @typeParam Tx What the store calls a transaction.
 */
export interface Store<Tx = unknown> {
  /** What this store can do. */
  readonly capabilities: StoreCapabilities;
  /**
   * A clock that follows the store's server, which the bus uses if it has no `clock` of its own. Left out where the
   * store has no server, or its clock cannot be read: then the bus uses the platform's.
   */
  readonly clock?: StoreClock<Tx | SqlClient>;
  /** What saves work, if the store has it. */
  readonly hints?: StoreHints<Tx>;

  /**
   * Makes the store ready for use, creating or migrating what it needs. Safe to call many times and
   * from several processes at once.
   */
  ready(): Promise<void>;

  /**
   * A random id that the store drew at its first start: the same for ever, and for every process that uses the
   * store, also where several ask for the first time at once. It names the service in the ids of its answers, where
   * its bus has no `service`. At most 100 letters, digits, `_`, `-` and dots.
   */
  serviceId(): Promise<string>;

  /**
   * Adds records, in one atomic step, within `tx` where given. A record whose key is taken is left
   * out and answered with the record that has it. Results are in the order of `records`. Two records
   * with the same key in one call: the first is added, the second collides with it.
   *
   * Never waits for `ready()` itself when given a `tx`: that could wait for the caller's own lock.
   *
   * @throws {AtlastError} `no_transaction` when `tx` is none, or is none any more when the records are written:
   * none is added then.
   */
  add(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
    tx?: Tx | SqlClient,
  ): Promise<AddResult[]>;

  /**
   * Claims due records, the earliest due of each group first. Each gets epoch + 1 and the lease. A record is
   * given to one claimer at a time; one claimed by another is skipped, not waited for. A claim of a
   * record whose lease ran out counts a crash.
   */
  claim(request: ClaimRequest): Promise<StoredRecord[]>;

  /**
   * Extends leases. The answer for a lease whose record was claimed again or settled since is false,
   * and nothing changes.
   */
  renew(box: Box, leases: readonly Lease[], leaseUntilMs: number): Promise<boolean[]>;

  /**
   * Applies patches and ends leases, within `tx` where given. A settlement applies only where the
   * record has its epoch, stands where it says and is claimed or not as it says; any other is stale:
   * the answer is false, and nothing changes. Applies each by itself: one that is stale does not keep
   * the others back. The epoch stays as it is.
   */
  settle(box: Box, settlements: readonly Settlement[], tx?: Tx | SqlClient): Promise<boolean[]>;

  /**
   * Settles records, each with a key of its own, as the last that is done in a transaction of
   * {@linkcode Store.transaction}: it rejects or the transaction does, with `lease_lost`, unless every
   * settlement applies. So a store need not wait for the answer before it commits, which spares a round
   * trip. For stores with the capability `deferredSettle`.
   */
  settleAsLast?(box: Box, settlements: readonly Settlement[], tx: Tx): Promise<void>;

  /**
   * Settles records of `box` as {@linkcode Store.settle} does, and adds what goes with each as
   * {@linkcode Store.add} does if and only if its settlement applies: all in one atomic step. Results are
   * in the order of `steps`: null for a settlement that is stale, else what became of its records.
   *
   * For stores with the capability `atomicSettleAndAdd`, so that a failure callback or reply is not lost between two
   * steps.
   */
  settleAndAdd?(
    box: Box,
    steps: readonly SettleStep[],
    nowMs: number,
  ): Promise<(readonly AddResult[] | null)[]>;

  /**
   * Adds all of `records` in one atomic step, or none of them when a key is taken. Results are in their
   * order: the record that has the key, null where it is free. They have different keys; all were added if
   * and only if every result is null.
   *
   * For stores without transactions, as {@linkcode Store.settleAndAdd} is.
   */
  addAll?(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
  ): Promise<(StoredRecord | null)[]>;

  /** The record with this key; null when there is none. */
  find(box: Box, key: RecordKey): Promise<StoredRecord | null>;

  /**
   * The records with these keys, each null where there is none, as seen within `tx` where given. For stores
   * with the capability `transactions`.
   */
  findMany?(
    box: Box,
    keys: readonly RecordKey[],
    tx?: Tx | SqlClient,
  ): Promise<(StoredRecord | null)[]>;

  /** Records, newest first. */
  list(query: ListQuery): Promise<StoredRecord[]>;

  /** How many records there are in each state. */
  count(box: Box): Promise<StateCounts>;

  /**
   * Deletes at most `limit` settled records that are past their expiry, and says how many it deleted. It never
   * deletes an unsettled record, whatever its expiry.
   *
   * With `remembering` it keeps a memory of those of the inbox, in the same atomic step, and deletes at most
   * `limit` memories of messages that arrived before `sinceMs`, which it counts too. When it deletes a record of the
   * inbox without keeping one, or a memory, it keeps when that message arrived, if that is the latest so far: see
   * {@linkcode Store.addUnlessKnown}.
   */
  prune(box: Box, nowMs: number, limit: number, remembering?: Remembering): Promise<number>;

  /**
   * Adds records to the inbox as {@linkcode Store.add} does, but leaves out those that are remembered from
   * {@linkcode Store.prune}, and those of which it must be feared that they were forgotten. Safe beside a `prune`: a
   * message is known by its record or by its memory at any moment. For the few that come late: those that
   * come in time have their record still.
   */
  addUnlessKnown(records: readonly ReturningRecord[], nowMs: number): Promise<ReturnResult[]>;

  /**
   * When the next claim of records in `state` (`scheduled` if not given) can find something, in Unix
   * milliseconds; null when there are none. Leased records count from the end of their lease.
   *
   * With `unroutableForMs` a record that nobody holds and that rests while it waits for a route, and so is due later
   * than `nowMs`, counts from when that wait ends: so long after its `details.unroutableSinceMs`, or at its deadline if that
   * is earlier. A store may name an earlier time, or leave this out: then a bus that an alarm wakes is woken more often.
   */
  nextDueAt(
    box: Box,
    nowMs: number,
    groups?: readonly GroupNames[],
    state?: "scheduled" | "prepared",
    unroutableForMs?: number,
  ): Promise<number | null>;

  /**
   * Runs `work` in a transaction: commits when it resolves, rolls back when it rejects. Once this
   * settles, `tx` refuses further use with `transaction_ended`. Stores whose capability
   * `transactions` is false have none, and pass `undefined`.
   *
   * With `isOwn` the work makes calls of this store only: the store chooses the isolation level, and may run the work
   * again when it conflicts with others. Otherwise the work is the user's, at the level that its database is set to.
   */
  transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    options?: { readonly isOwn?: boolean },
  ): Promise<Result>;

  /**
   * Runs `work` in a transaction as {@linkcode Store.transaction} does, but begins it when `tx` is first used. Until
   * then it costs nothing and occupies no connection. Before the first use takes effect, the transaction checks that the
   * record is still claimed under that epoch, and locks it where the store has locks, so that nobody else claims it while
   * the transaction is open. If it is not, the use rejects with `lease_lost`, and so does the transaction.
   *
   * It calls `work` before it returns. For stores with the capability `lazyTransactions`.
   */
  transactionOnUse?<Result>(
    first: FirstUse,
    work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result>;

  /**
   * Tells other buses that use this store, in any process, that there is new work in a box. Best effort.
   *
   * @param sender Stands for the bus that tells it. Without it, the store itself is the sender.
   */
  notify?(box: Box, sender?: object): Promise<void>;

  /**
   * Calls `wake` whenever another bus says that there is new work in a box, until the returned
   * function is called. Best effort: a lost wake-up only delays work until the next poll.
   *
   * @param sender Stands for the bus that listens: it is not told of what it notified others of itself.
   */
  listen?(wake: (box: Box) => void, sender?: object): Promise<() => Promise<void>>;

  /**
   * Gives back what the store itself opened; the user's own connections stay open. Several buses may share a store, and
   * each closes it: the store stays usable, and what {@linkcode Store.listen} began goes on.
   */
  close(): Promise<void>;
}
