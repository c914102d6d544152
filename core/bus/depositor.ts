/**
 * Depositing: stores what is published, and tells those who work on it.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import type { Box } from "../lifecycle.ts";
import { sameBody } from "../message.ts";
import type { AddResult, NewRecord, SqlClient, Store, StoredRecord } from "../ports.ts";
import { addAllOf, addAllOrNone } from "./all_or_none.ts";
import { joiner } from "./joiner.ts";
import { storedFromBirth } from "./new_record.ts";
import type { Settings } from "./options.ts";
import type { Receipt } from "./publisher.ts";
import { type Deposit, depositOf, inOutbox } from "./shared_store.ts";

/** What depositing needs of the rest of the bus. */
export interface Outlet {
  /** How many more records of a side and group the bus works on without their being claimed. */
  room(box: Box, group: string): number;
  /** Takes a record born with a lease, to work on it now. */
  handOver(record: StoredRecord): void;
  /** Whether this bus finds by itself what is committed for a group by someone else. */
  finds(box: Box, group: string): boolean;
  /** Is told that a record is there to claim, or will be once its transaction has committed. */
  added(box: Box, group: string, committed: boolean): void;
  /** Whether others are told of what is there for a group. */
  tells(box: Box, group: string): boolean;
  /** Is told when something that was stored is due, in Unix milliseconds. */
  due(atMs: number): void;
}

/** Inserts that travel together at the most: enough to spread the cost of a round trip thin. */
const MAX_JOINED = 500;
/** Inserts under way at once: a second keeps the database busy while the first one's answer travels. */
const MAX_INSERTS = 2;

/** Stores what is published. */
export class Depositor<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #outlet: Outlet;
  readonly #addJoined: Readonly<Record<Box, (record: NewRecord) => Promise<AddResult>>>;
  /** The transactions that something was published in, and for whom. */
  readonly #joined = new WeakMap<object, Pick<Deposit, "box" | "groups">[]>();

  constructor(settings: Settings<Tx>, outlet: Outlet) {
    this.#settings = settings;
    this.#outlet = outlet;
    const joined = (box: Box) =>
      joiner<NewRecord, AddResult>({
        run: (records) => this.#insert(box, records),
        maxItems: MAX_JOINED,
        maxRuns: MAX_INSERTS,
        now: () => settings.clock.now(),
      });
    this.#addJoined = { outbox: joined("outbox"), inbox: joined("inbox") };
  }

  /** Stores one message. */
  async one(record: NewRecord, tx: Tx | SqlClient | undefined): Promise<Receipt> {
    const deposit = depositOf(this.#settings, [record]);
    const [row = record] = deposit.rows;
    if (tx !== undefined || deposit.groups.length > 1) {
      const [receipt] = await this.many([record], tx);
      return receipt as Receipt;
    }
    await this.#settings.store.ready();
    const [born = row] = this.#bornLeased(deposit.box, [row]);
    const receipt = receiptOf(born, [await this.#addJoined[deposit.box](born)]);
    this.#published(deposit.box, record, receipt);
    if (!receipt.duplicate) this.#stored(born, deposit.box);
    return receipt;
  }

  /** Inserts what travels together, and tells others of it, once for all. */
  async #insert(box: Box, records: readonly NewRecord[]): Promise<AddResult[]> {
    const { store, clock } = this.#settings;
    const [first, second] = records;
    const told = records.find((record) =>
      record.leaseUntilMs === null && this.#outlet.tells(box, record.group)
    );
    if (told !== undefined && told === first && second === undefined) {
      const telling = store.addAndTell?.(box, told, clock.now()) ?? null;
      if (telling !== null) return [await telling];
    }
    const results = await store.add(box, records, clock.now());
    const isNew = results.some(({ added }) => added);
    if (told !== undefined && isNew) this.#outlet.added(box, told.group, true);
    return results;
  }

  /** Stores many messages: all of them, or none. */
  async many(
    records: readonly NewRecord[],
    tx: Tx | SqlClient | undefined,
  ): Promise<Receipt[]> {
    const { store } = this.#settings;
    const deposit = depositOf(this.#settings, records);
    const { box, groups } = deposit;
    if (tx !== undefined) return await this.#join(tx, records, deposit);
    await store.ready();
    const born = { ...deposit, rows: this.#bornLeased(box, deposit.rows) };
    const addAll = addAllOf(store);
    const { receipts, added } = addAll !== undefined
      ? await this.#addAllOrNone(addAll, born.rows)
      : records.every(({ hasNewKey }) => hasNewKey)
      ? await this.#add(born)
      : await store.transaction((own) => this.#add(born, own));
    records.forEach((record, i) => this.#published(box, record, receipts[i] as Receipt));
    const free = new Set<string>();
    born.rows.forEach((row, i) => {
      if (!added[i]) return;
      if (row.leaseUntilMs === null) free.add(row.group);
      else this.committed(row, box);
    });
    // Said once for all: each word may cost a wake-up of other processes.
    for (const group of groups) if (free.has(group)) this.#outlet.added(box, group, true);
    return receipts;
  }

  async #join(
    tx: Tx | SqlClient,
    records: readonly NewRecord[],
    direct: Deposit,
  ): Promise<Receipt[]> {
    // Nobody here hears of the commit. What this bus would not look for itself goes by its outbox.
    const isFound = direct.groups.every((group) => this.#outlet.finds(direct.box, group));
    const deposit = isFound ? direct : inOutbox(records);
    const { box, groups } = deposit;
    const { receipts } = await this.#add(deposit, tx);
    if (typeof tx === "object" || typeof tx === "function") {
      const before = this.#joined.get(tx as object) ?? [];
      this.#joined.set(tx as object, [...before.filter((each) => each.box !== box), {
        box,
        groups,
      }]);
    }
    for (const group of groups) this.#outlet.added(box, group, false);
    records.forEach((record, i) => this.#published(box, record, receipts[i] as Receipt));
    return receipts;
  }

  /** A record for the outbox that the caller adds in a transaction of its own. */
  bornLeased(record: NewRecord): NewRecord {
    const [born = record] = this.#bornLeased("outbox", [record]);
    return born;
  }

  /** Is told that a record of this bus was committed. */
  committed(record: NewRecord, box: Box = "outbox"): void {
    this.#stored(record, box);
    const { leaseUntilMs, group } = record;
    if (leaseUntilMs === null && this.#outlet.tells(box, group)) {
      this.#outlet.added(box, group, true);
    }
  }

  /** Sees to it that this bus works on a record, if it is for it; others were told. */
  #stored(record: NewRecord, box: Box): void {
    this.#outlet.due(record.dueAtMs);
    if (record.leaseUntilMs !== null) {
      return this.#outlet.handOver(storedFromBirth(record, box, this.#settings.clock.now()));
    }
    if (!this.#outlet.tells(box, record.group)) this.#outlet.added(box, record.group, true);
  }

  /** Is told that a transaction of this bus was committed; what was published in it can be worked on now. */
  ended(tx: Tx): void {
    for (const { box, groups } of this.#joined.get(tx as object) ?? []) {
      for (const group of groups) this.#outlet.added(box, group, true);
    }
  }

  async #add(
    { box, rows, groups: { length: each } }: Deposit,
    tx?: Tx | SqlClient,
  ): Promise<{ receipts: Receipt[]; added: boolean[] }> {
    const { store, clock } = this.#settings;
    const results = await store.add(box, rows, clock.now(), tx);
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
   * Records this bus will work on itself are stored with a lease, and need not be claimed from the
   * database again. Those that are delayed, or find no room, are left for anyone to claim.
   */
  #bornLeased(box: Box, rows: readonly NewRecord[]): readonly NewRecord[] {
    const nowMs = this.#settings.clock.now();
    const leaseUntilMs = nowMs + this.#settings.leaseMs;
    const rooms = new Map<string, number>();
    return rows.map((row) => {
      if (row.dueAtMs > nowMs) return row;
      const room = rooms.get(row.group) ?? this.#outlet.room(box, row.group);
      rooms.set(row.group, room - 1);
      return room > 0 ? { ...row, leaseUntilMs } : row;
    });
  }

  #published(box: Box, { message, dueAtMs }: NewRecord, { duplicate }: Receipt): void {
    if (duplicate) return;
    const { id, name } = message;
    this.#settings.observe({ kind: "published", box, id, name, group: "" });
    this.#outlet.due(dueAtMs);
  }
}

/** What publishers are told when every row was added. */
function receiptsOfNew(rows: readonly NewRecord[], each: number): Receipt[] {
  const receipts: Receipt[] = [];
  for (let at = 0; at < rows.length; at += each) {
    receipts.push({ id: (rows[at] as NewRecord).id, duplicate: false });
  }
  return receipts;
}

/**
 * What its publisher is told of a message.
 *
 * @param results Of each row it was stored in.
 * @throws {AtlastError} `id_conflict` when another message has its id.
 */
function receiptOf({ message }: NewRecord, results: readonly AddResult[]): Receipt {
  const { id, name, body } = message;
  let duplicate = true;
  for (const result of results) {
    if (result.added) {
      duplicate = false;
      continue;
    }
    const { existing: { message: other } } = result;
    if (other.name === name && sameBody(other.body, body)) continue;
    throw new AtlastError(
      "id_conflict",
      `Cannot publish "${name}" with id "${id}": a message "${other.name}" with another body has it`,
    );
  }
  return { id, duplicate };
}
