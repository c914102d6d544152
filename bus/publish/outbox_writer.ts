/**
 * Stores published messages, and notifies the loops and processes that send or handle them.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { AddResult, FirstUse, LazyTransaction, Store } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { addAllOf, addAllOrNone } from "./add_all_or_none.ts";
import { addApart, type Added, untilUncontended } from "./add_apart.ts";
import { addOnce, addOnceSoon } from "./outbox_or_inbox.ts";
import { withinTime } from "../async/deadline.ts";
import { observed } from "../api/observer.ts";
import { batcher, SLOW_RUN_MS } from "../async/batcher.ts";
import { JoinedTransactions, type OwnTransaction, type Staged } from "./joined_transactions.ts";
import { storedFromBirth } from "../records/new_record.ts";
import { type Target, targetKey, targetOf, targetsOf } from "../records/target.ts";
import type { Settings } from "../settings/settings.ts";
import { receiptOf, receiptsOfNew } from "./receipt.ts";
import type { Receipt } from "../api/publish_options.ts";
import { type Unseen, UnseenCommits } from "./unseen_commits.ts";
import { inOutbox, type Insertion, insertionOf } from "./local_delivery.ts";

/** What the writer needs of the rest of the bus. */
export interface Outlet {
  /** How many more records the bus can take directly, without a claim. */
  capacity(target: Target): number;
  /** Takes a record that was stored with a lease, to work on it now. */
  handOver(record: StoredRecord): void;
  /** Whether the loops of this bus find such records that another transaction commits. */
  finds(target: Target): boolean;
  /** Called when a record can be claimed, now or after its transaction has committed. */
  added(target: Target, committed: boolean): void;
  /** Whether other processes must be notified of such records. */
  notifies(target: Target): boolean;
  /** Called with the due time of a stored record, in Unix milliseconds. */
  due(atMs: number): void;
}

/** How long the first publish in a transaction waits for the store to get ready, in milliseconds. */
const PREPARE_MS = 3_000;
/** The most records in one insert: enough to make the cost of the round trip per record small. */
const MAX_JOINED = 500;
/**
 * How many inserts are in flight at once: a second keeps the database busy during the first one's
 * round trip.
 */
const MAX_INSERTS = 2;

/**
 * After how long an insert of given ids no longer counts towards the limit, in milliseconds: it waits for a transaction
 * with one of them, which may stay open for long.
 */
const WAITING_MS = 50;

/** The batchers of one box. */
interface Joined {
  readonly newKeys: (record: NewRecord) => Promise<Added>;
  /** Ids that were made for a publish, which a middleware may publish twice. */
  readonly madeKeys: (record: NewRecord) => Promise<Added>;
  /** Given ids; null for one that another transaction has. */
  readonly otherKeys: (record: NewRecord) => Promise<Added | null>;
  /** Given ids that another transaction has. */
  readonly waitingKeys: (record: NewRecord) => Promise<Added>;
}

/** Stores published messages. */
export class OutboxWriter<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #outlet: Outlet;
  #isPrepared = false;
  readonly #joinedIn: Readonly<Record<Box, Joined>>;
  /** The transactions of this bus, and the messages published in each. */
  readonly transactions: JoinedTransactions<Tx>;
  /** The messages published in transactions that this bus did not begin. */
  readonly unseenCommits: UnseenCommits<Tx>;
  /** How many records of each group are being stored with a lease. */
  readonly #underWay = new Map<string, number>();

  constructor(settings: Settings<Tx>, outlet: Outlet) {
    this.#settings = settings;
    this.unseenCommits = new UnseenCommits(settings, outlet);
    this.#outlet = outlet;
    this.transactions = new JoinedTransactions((error) =>
      settings.observe({ kind: "error", during: "publish", error })
    );
    const { clock } = settings;
    const limits = { maxItems: MAX_JOINED, maxRuns: MAX_INSERTS, slowMs: SLOW_RUN_MS, clock };
    const patient = { ...limits, slowMs: WAITING_MS, apartWhenSlow: true };
    // An insert with a given id may have to wait for another transaction with the same id, so it
    // shares neither a statement nor a limit with ids that are made. Given ids share a statement
    // for as long as none of them waits.
    const all = (box: Box): Joined => {
      const insert = (records: readonly NewRecord[]) =>
        this.#insert<never>(box, records, (rows) => addOnce(settings, { box, rows }));
      const insertSoon = (records: readonly NewRecord[]) =>
        this.#insert(box, records, (rows) => addOnceSoon(settings, { box, rows }, WAITING_MS));
      return {
        newKeys: batcher({ run: insert, ...limits }),
        madeKeys: batcher({ run: insert, ...limits }),
        otherKeys: batcher<NewRecord, Added | null>({
          run: (records) => records.length === 1 ? insert(records) : insertSoon(records),
          ...patient,
        }),
        waitingKeys: batcher({ run: insert, ...patient }),
      };
    };
    this.#joinedIn = { outbox: all("outbox"), inbox: all("inbox") };
  }

  /**
   * Stores one message.
   *
   * @param isMade Whether its id was made for this publish.
   */
  async one(
    record: NewRecord,
    tx: Tx | SqlClient | undefined,
    isMade: boolean = false,
  ): Promise<Receipt> {
    const insertion = insertionOf(this.#settings, [record]);
    const [row = record] = insertion.rows;
    if (tx !== undefined || insertion.groups.length > 1) {
      const [receipt] = await this.many([record], tx);
      return receipt as Receipt;
    }
    await this.#settings.store.ready();
    const [born = row] = this.#bornLeased(insertion.box, [row]);
    const joined = this.#joinedIn[insertion.box];
    const keys = born.hasNewKey ? "newKeys" : isMade ? "madeKeys" : "otherKeys";
    const { group } = born;
    const takes = born.leaseUntilMs !== null && group !== "" ? 1 : 0;
    this.#taken(group, takes);
    try {
      const result = await joined[keys](born) ?? await joined.waitingKeys(born);
      if ("error" in result) throw result.error;
      const receipt = receiptOf(born, [result]);
      this.#published(insertion.box, record, receipt);
      if (!receipt.duplicate) this.#stored(born, insertion.box);
      return receipt;
    } finally {
      this.#taken(group, -takes);
    }
  }

  /** Inserts a batch of records, and notifies other processes once. */
  async #insert<Waiting extends null = never>(
    box: Box,
    records: readonly NewRecord[],
    add: (rows: readonly NewRecord[]) => Promise<AddResult[] | Waiting>,
  ): Promise<(Added | Waiting)[]> {
    const { store, sender, clock } = this.#settings;
    const [first, second] = records;
    const notified = records.find((record) =>
      record.leaseUntilMs === null && this.#outlet.notifies(targetOf(box, record))
    );
    if (notified !== undefined && notified === first && second === undefined) {
      const notifying = store.hints?.addAndNotify?.(box, notified, clock.now(), sender) ?? null;
      if (notifying !== null) return [await notifying];
    }
    const results = await addApart(store, records, add);
    const isNew = results.some((result) => result !== null && "added" in result && result.added);
    if (notified !== undefined && isNew) this.#outlet.added(targetOf(box, notified), true);
    return results;
  }

  /** Stores many messages: all of them, or none. */
  async many(
    records: readonly NewRecord[],
    tx: Tx | SqlClient | undefined,
  ): Promise<Receipt[]> {
    const { store } = this.#settings;
    const insertion = insertionOf(this.#settings, records);
    const { box } = insertion;
    if (tx !== undefined) return await this.#join(tx, records, insertion);
    await store.ready();
    const born = { ...insertion, rows: this.#bornLeased(box, insertion.rows) };
    const addAll = addAllOf(store);
    const { receipts, added } = addAll !== undefined
      ? await this.#addAllOrNone(addAll, born.rows)
      : records.every(({ hasNewKey }) => hasNewKey)
      ? await this.#add(born)
      : await untilUncontended(
        store,
        () => store.transaction((own) => this.#add(born, own), { isOwn: true }),
      );
    records.forEach((record, i) => this.#published(box, record, receipts[i] as Receipt));
    const free = new Map<string, Target>();
    born.rows.forEach((row, i) => {
      if (!added[i]) return;
      const target = targetOf(box, row);
      if (row.leaseUntilMs === null) free.set(targetKey(target), target);
      else this.committed(row, box);
    });
    // Notify once per group and name: each notification may wake other processes.
    for (const target of free.values()) this.#outlet.added(target, true);
    return receipts;
  }

  async #join(
    tx: Tx | SqlClient,
    records: readonly NewRecord[],
    direct: Insertion,
  ): Promise<Receipt[]> {
    if (!this.#isPrepared) await this.#prepared();
    // The bus does not see this commit. Messages that its loops would not find in the inbox go to
    // the outbox.
    const isFound = direct.rows.every((row) => this.#outlet.finds(targetOf(direct.box, row)));
    const insertion = isFound ? direct : inOutbox(this.#settings, records);
    const { box, groups } = insertion;
    const { receipts, added: isAdded } = await this.#add(insertion, tx);
    const added = records.filter((_, i) => receipts[i]?.duplicate === false);
    const messages = added.map(({ message: { id, name } }) => ({ id, name }));
    const isOwn = this.transactions.staged(tx, { box, groups, messages });
    const key = insertion.rows.find((_, i) => isAdded[i]);
    const targets = targetsOf([{ box, groups, messages }]);
    if (!isOwn && key !== undefined) await this.#unseen(tx, { box, targets, key });
    for (const target of targets) this.#outlet.added(target, false);
    for (const message of messages) this.#observe("staged", box, message);
    for (const { dueAtMs } of added) this.#outlet.due(dueAtMs);
    return receipts;
  }

  /**
   * Prepares the store before its first use, which may be in a transaction of the user. That transaction may keep the
   * preparation from ending, for instance with the only connection; then the publish is tried all the same.
   */
  async #prepared(): Promise<void> {
    const { store, clock } = this.#settings;
    const preparing = withinTime(
      clock,
      PREPARE_MS,
      "The store did not get ready",
      () => store.ready(),
    );
    this.#isPrepared = await preparing.then(() => true, () => false);
  }

  /** The bus does not see the commit: the commit itself notifies other processes, or the bus looks for it. */
  async #unseen(tx: Tx | SqlClient, { box, targets, key: { id, group } }: Unseen): Promise<void> {
    const { store, sender, observe } = this.#settings;
    let isNotified: unknown = false;
    if (targets.some((target) => this.#outlet.notifies(target))) {
      await observed(observe, "notify", async () => {
        isNotified = await store.hints?.notifyAtCommit?.(box, tx, sender);
      });
    }
    if (isNotified !== true) this.unseenCommits.add({ box, targets, key: { id, group } });
  }

  /**
   * Prepares an outbox record that the caller adds in its own transaction: with a lease if this bus
   * has capacity.
   */
  bornLeased(record: NewRecord): NewRecord {
    const [born = record] = this.#bornLeased("outbox", [record]);
    return born;
  }

  /** Called after a record that this bus added was committed. */
  committed(record: NewRecord, box: Box = "outbox"): void {
    this.#stored(record, box);
    const target = targetOf(box, record);
    if (record.leaseUntilMs === null && this.#outlet.notifies(target)) {
      this.#outlet.added(target, true);
    }
  }

  /**
   * Passes a stored record to the loops of this bus, if it is theirs. Other processes were notified
   * before.
   */
  #stored(record: NewRecord, box: Box): void {
    this.#outlet.due(record.dueAtMs);
    if (record.leaseUntilMs !== null) {
      return this.#outlet.handOver(storedFromBirth(record, box, this.#settings.clock.now()));
    }
    const target = targetOf(box, record);
    if (!this.#outlet.notifies(target)) this.#outlet.added(target, true);
  }

  /** Runs a transaction of this bus. The messages published in it are sent after the commit. */
  transaction<Result>(work: (own: OwnTransaction<Tx>) => Promise<Result>): Promise<Result> {
    const { store } = this.#settings;
    return this.transactions.run((working) => store.transaction(working), work, this.#committedIn);
  }

  /**
   * Runs a transaction of this bus that begins at its first use, as {@linkcode OutboxWriter.transaction} does. For
   * stores with that capability.
   */
  transactionOnUse<Result>(
    first: FirstUse,
    work: (own: OwnTransaction<Tx>, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result> {
    const { store } = this.#settings;
    return this.transactions.run(
      (working: (tx: Tx, lazy: LazyTransaction) => Promise<Result>) =>
        store.transactionOnUse?.(first, working) as Promise<Result>,
      work,
      this.#committedIn,
    );
  }

  /** Reports and notifies the messages of a transaction that has committed. */
  readonly #committedIn = (staged: readonly Staged[]): void => {
    if (staged.length === 0) return;
    for (const { box, messages } of staged) {
      for (const message of messages) this.#observe("published", box, message);
    }
    for (const target of targetsOf(staged)) this.#outlet.added(target, true);
  };

  async #add(
    { box, rows, groups: { length: each } }: Insertion,
    tx?: Tx | SqlClient,
  ): Promise<{ receipts: Receipt[]; added: boolean[] }> {
    const results = await addOnce(this.#settings, { box, rows, tx });
    const added = results.map(({ added }) => added);
    if (!added.includes(false)) return { receipts: receiptsOfNew(rows, each), added };
    const receipts: Receipt[] = [];
    for (let at = 0; at < rows.length; at += each) {
      receipts.push(receiptOf(rows[at] as NewRecord, results.slice(at, at + each)));
    }
    return { receipts, added };
  }

  async #addAllOrNone(
    addAll: NonNullable<Store["addAll"]>,
    born: readonly NewRecord[],
  ): Promise<{ receipts: Receipt[]; added: boolean[] }> {
    const nowMs = this.#settings.clock.now();
    const results = await addAllOrNone(addAll, born, nowMs, (record, existing) => {
      receiptOf(record, [{ added: false, existing }]);
    });
    return {
      receipts: born.map((record, i) => receiptOf(record, [results[i] as AddResult])),
      added: results.map(({ added }) => added),
    };
  }

  /**
   * Adds a lease to the records that this bus will work on itself, which saves a claim. Delayed
   * records, and those beyond its capacity, are stored without one, for any worker to claim.
   */
  #bornLeased(box: Box, rows: readonly NewRecord[]): readonly NewRecord[] {
    const nowMs = this.#settings.clock.now();
    const leaseUntilMs = nowMs + this.#settings.leaseMs;
    const capacities = new Map<string, number>();
    return rows.map((row) => {
      if (row.dueAtMs > nowMs) return row;
      const target = targetOf(box, row);
      const key = targetKey(target);
      const capacity = capacities.get(key) ??
        this.#outlet.capacity(target) - (this.#underWay.get(row.group) ?? 0);
      capacities.set(key, capacity - 1);
      return capacity > 0 ? { ...row, leaseUntilMs } : row;
    });
  }

  /** Counts the records of a group that are being stored with a lease, so that calls at the same time share its capacity. */
  #taken(group: string, count: number): void {
    if (count !== 0) this.#underWay.set(group, (this.#underWay.get(group) ?? 0) + count);
  }

  #published(box: Box, { message, dueAtMs }: NewRecord, { duplicate }: Receipt): void {
    if (duplicate) return;
    this.#observe("published", box, message);
    this.#outlet.due(dueAtMs);
  }

  #observe(
    kind: "published" | "staged",
    box: Box,
    { id, name }: { readonly id: string; readonly name: string },
  ): void {
    this.#settings.observe({ kind, box, id, name, group: "" });
  }
}
