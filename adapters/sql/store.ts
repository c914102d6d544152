/**
 * The store in SQL, for every driver.
 *
 * @module
 */
import type { Wakeups } from "./wakeups.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type {
  AddResult,
  FirstUse,
  LazyTransaction,
  Lease,
  ListQuery,
  ReturnResult,
  Settlement,
  StateCounts,
  Store,
  StoreHints,
} from "../../core/ports/store.ts";
import type { ClaimRequest, GroupNames } from "../../core/ports/claim_request.ts";
import type { StoreCapabilities } from "../../core/ports/store_capabilities.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { HealthWarning } from "../../core/ports/health_warning.ts";
import type { Remembering, ReturningRecord } from "../../core/ports/inbox_memory.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { StoreClock } from "../../core/ports/store_clock.ts";
import { Claimer } from "./claim.ts";
import { inKeyOrder } from "./key_order.ts";
import { addPart, addSoon, allAdded } from "./add.ts";
import { type Notification, notifyAtCommit } from "./wakeups.ts";
import { failureOf, untilUncontended } from "./contention.ts";
import { addUnlessKnown, pruneMemoryBefore, pruneRemembering } from "./inbox_memory.ts";
import { type MemoryTables, memoryTables } from "./memory_tables.ts";
import { inspectionHints } from "./inspection.ts";
import { haveNewKeys, insertNew, statementParts } from "./insert.ts";
import { Lookup } from "./select.ts";
import type { Proof } from "./transaction_proof.ts";
import { type Database, explained } from "./database.ts";
import { Preparation } from "./preparation.ts";
import type { Run } from "./run.ts";
import { readServiceId } from "./service_id.ts";
import { locking } from "./lock.ts";
import { oldestDue } from "./oldest_due.ts";
import { renew, settleAll, settleWithin } from "./settle.ts";
import { keyText, type Table, tableOf } from "./table.ts";
import { findUnreachable } from "./unreachable.ts";
import { makeUnroutableDue, nextDueAtTheLatest, untaken } from "./unroutable.ts";

/** The parts of a {@linkcode SqlStore}. */
interface SqlStoreParts<Tx> {
  readonly capabilities: StoreCapabilities;
  readonly database: Database<Tx>;
  readonly schema: string;
  readonly wakeups: Wakeups;
  /** Creates or checks the tables. */
  readonly prepare: () => Promise<void>;
  /** The server's clock, where it may differ from this process's. */
  readonly clock?: StoreClock<Tx | SqlClient>;
  /** Called after each pruning of a box, with how many records it deleted. */
  readonly pruned?: (box: Box, deleted: number) => Promise<void>;
  /** Reads what an operator should mend in the server. */
  readonly warnings?: (run: Run) => Promise<readonly HealthWarning[]>;
}

interface BoxParts {
  readonly table: Table;
  readonly claimer: Claimer;
  readonly lookup: Lookup;
}

/** Outbox and inbox in two tables. */
export class SqlStore<Tx> implements Store<Tx> {
  readonly capabilities: StoreCapabilities;
  readonly hints: StoreHints<Tx> = {
    joining: (tx) => this.#parts.database.joining(tx),
    addSoon: async (box, records, nowMs, waitMs) =>
      await addSoon(await this.#readyRun(), this.#boxes[box], records, nowMs, waitMs),
    addAndNotify: (box, record, nowMs, sender) => {
      const { wakeups } = this.#parts;
      const notification = haveNewKeys([record]) ? wakeups.aboard?.(box, sender) ?? null : null;
      return notification === null ? null : this.#addWith(notification, box, record, nowMs);
    },
    notifyAtCommit: async (box, tx, sender) =>
      await notifyAtCommit(this.#parts.wakeups, box, this.#parts.database.runIn(tx), sender),
    isNotified: () => this.#parts.wakeups.isNotified?.() ?? Promise.resolve(true),
    haveBeenAdded: (box, keys) => this.#haveBeenAdded(box, keys),
    findUnreachable: async (afterMs, limit) =>
      await findUnreachable(await this.#readyRun(), this.#boxes.outbox.table, afterMs, limit),
    makeUnroutableDue: async (box, request) =>
      await makeUnroutableDue(await this.#readyRun(), this.#boxes[box].table, request),
    untaken: async (box, request) =>
      await untaken(await this.#readyRun(), this.#boxes[box].table, request),
    oldestDue: async (request) =>
      await oldestDue(await this.#readyRun(), this.#boxes.inbox.table, request),
    failureOf,
    ...inspectionHints(() => this.#readyRun(), () => this.#parts.schema),
    warnings: async () => await this.#parts.warnings?.(this.#run) ?? [],
  };
  readonly clock?: StoreClock<Tx | SqlClient>;
  readonly #parts: SqlStoreParts<Tx>;
  readonly #run: Run;
  readonly #boxes: Readonly<Record<Box, BoxParts>>;
  readonly #memory: MemoryTables;
  readonly #preparation: Preparation;

  constructor(parts: SqlStoreParts<Tx>) {
    this.#parts = parts;
    if (parts.clock !== undefined) this.clock = parts.clock;
    this.#preparation = new Preparation(parts.prepare);
    this.capabilities = parts.capabilities;
    const run = explained(parts.database.run, parts.schema);
    this.#run = (text, params) =>
      untilUncontended(() => run(text, params)).catch((error) => this.#isClaimDue(error));
    this.#memory = memoryTables(parts.schema);
    this.#boxes = {
      outbox: partsOf(parts.schema, "outbox"),
      inbox: partsOf(parts.schema, "inbox"),
    };
  }

  ready(): Promise<void> {
    return this.#preparation.ready();
  }

  async serviceId(): Promise<string> {
    return await readServiceId(await this.#readyRun(), this.#parts.schema);
  }

  async #readyRun(): Promise<Run> {
    await this.ready();
    return this.#run;
  }

  async add(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
    tx?: Tx | SqlClient,
  ): Promise<AddResult[]> {
    if (records.length > 1 && !haveNewKeys(records)) {
      const add = (sorted: readonly NewRecord[]) => this.#addParts(box, sorted, nowMs, tx);
      return await inKeyOrder(records, (record) => record, add);
    }
    return await this.#addParts(box, records, nowMs, tx);
  }

  async #addParts(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
    tx?: Tx | SqlClient,
  ): Promise<AddResult[]> {
    const parts = statementParts(records);
    if (tx !== undefined) return await this.#addIn(tx, box, parts, nowMs);
    await this.ready();
    // One statement is atomic, several need a transaction.
    if (parts.length <= 1) return await this.#add({ run: this.#run }, box, parts, nowMs);
    return await this.#own((own) => this.#add({ run: this.#runIn(own) }, box, parts, nowMs));
  }

  async claim(request: ClaimRequest): Promise<StoredRecord[]> {
    await this.#readyOnTime();
    return await this.#boxes[request.box].claimer.claim(this.#run, request);
  }

  async renew(box: Box, leases: readonly Lease[], leaseUntilMs: number): Promise<boolean[]> {
    return await renew(await this.#readyRun(), this.#boxes[box].table, leases, leaseUntilMs);
  }

  async settle(
    box: Box,
    settlements: readonly Settlement[],
    tx?: Tx | SqlClient,
  ): Promise<boolean[]> {
    if (tx === undefined) await this.ready();
    const run = tx === undefined ? this.#run : this.#runIn(tx);
    const proof = tx === undefined ? null : this.#parts.database.proofIn(tx);
    return await settleWithin(run, this.#boxes[box].table, settlements, proof);
  }

  async settleAsLast(
    box: Box,
    settlements: readonly Settlement[],
    tx: Tx,
  ): Promise<void> {
    const settled = settleAll(this.#runIn(tx), this.#boxes[box].table, settlements);
    await (this.#parts.database.ahead?.(tx)?.take(settled) ?? settled);
  }

  async find(box: Box, key: RecordKey): Promise<StoredRecord | null> {
    await this.ready();
    const found = await this.#boxes[box].lookup.byKeys(this.#run, [key]);
    return found.get(keyText(key)) ?? null;
  }

  async findMany(
    box: Box,
    keys: readonly RecordKey[],
    tx?: Tx | SqlClient,
  ): Promise<(StoredRecord | null)[]> {
    if (tx === undefined) await this.ready();
    const run = tx === undefined ? this.#run : this.#runIn(tx);
    const found = await this.#boxes[box].lookup.byKeys(run, keys);
    return keys.map((key) => found.get(keyText(key)) ?? null);
  }

  async list(query: ListQuery): Promise<StoredRecord[]> {
    await this.ready();
    return await this.#boxes[query.box].lookup.list(this.#run, query);
  }

  async count(box: Box): Promise<StateCounts> {
    return await this.#boxes[box].lookup.count(await this.#readyRun());
  }

  async prune(
    box: Box,
    nowMs: number,
    limit: number,
    remembering?: Remembering,
  ): Promise<number> {
    await this.ready();
    const deleted = await this.#prune(box, nowMs, limit, remembering);
    await this.#parts.pruned?.(box, deleted);
    return deleted;
  }

  async #prune(
    box: Box,
    nowMs: number,
    limit: number,
    remembering?: Remembering,
  ): Promise<number> {
    const { table, lookup } = this.#boxes[box];
    if (box !== "inbox" || remembering === undefined) {
      return await lookup.prune(this.#run, nowMs, limit, box === "inbox" ? this.#memory : null);
    }
    let deleted = 0;
    for (let more = true; more && deleted < limit;) {
      const left = limit - deleted;
      const part = await this.#own((tx) =>
        pruneRemembering(this.#runIn(tx), table, this.#memory, nowMs, left, remembering)
      );
      deleted += part.deleted;
      more = part.more;
    }
    if (remembering.sinceMs === -Infinity) return deleted;
    return deleted + await pruneMemoryBefore(this.#run, this.#memory, remembering.sinceMs, limit);
  }

  async addUnlessKnown(
    records: readonly ReturningRecord[],
    nowMs: number,
  ): Promise<ReturnResult[]> {
    await this.ready();
    if (records.length === 0) return [];
    const add = (sorted: readonly ReturningRecord[]) =>
      this.#own((tx) =>
        addUnlessKnown(this.#runIn(tx), this.#boxes.inbox, this.#memory, sorted, nowMs)
      );
    return await inKeyOrder(records, ({ record }) => record, add);
  }

  async nextDueAt(
    box: Box,
    nowMs: number,
    groups?: readonly GroupNames[],
    state: "scheduled" | "prepared" = "scheduled",
    unroutableForMs?: number,
  ): Promise<number | null> {
    await this.#readyOnTime();
    const { table, lookup } = this.#boxes[box];
    if (state === "scheduled" && unroutableForMs !== undefined) {
      return await nextDueAtTheLatest(this.#run, table, nowMs, groups, unroutableForMs);
    }
    return await lookup.nextDueAt(this.#run, groups, state);
  }

  /** For what every bus that works does often, so that the clock is kept right. */
  async #readyOnTime(): Promise<void> {
    await this.ready();
    await this.#parts.clock?.follow();
  }

  async #haveBeenAdded(box: Box, keys: readonly RecordKey[]): Promise<boolean[]> {
    await this.ready();
    const found = await this.#boxes[box].lookup.existing(this.#run, keys);
    return keys.map((key) => found.has(key));
  }

  transaction<Result>(
    work: (tx: Tx) => Promise<Result>,
    { isOwn = false }: { readonly isOwn?: boolean } = {},
  ): Promise<Result> {
    if (isOwn) return this.#own(work);
    return this.#parts.database.transaction(work).catch((error) => this.#isClaimDue(error));
  }

  transactionOnUse<Result>(
    first: FirstUse,
    work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result> {
    const { database } = this.#parts;
    const { box, changed, locked } = first;
    const lock = locking(this.#boxes[box].table, first);
    const begun = database.transactionOnUse?.({ ...lock, changed, locked }, work);
    const transaction = begun ??
      database.transaction((tx) => work(tx, { close: () => false }));
    return transaction.catch((error) => this.#isClaimDue(error));
  }

  /** Runs statements of the store only: at read committed, and again when they conflict with others. */
  #own<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    return untilUncontended(() => this.#parts.database.transaction(work, true))
      .catch((error) => this.#isClaimDue(error));
  }

  notify(box: Box, sender?: object): Promise<void> {
    return this.#parts.wakeups.notify(box, sender);
  }

  listen(wake: (box: Box) => void, sender?: object): Promise<() => Promise<void>> {
    return this.#parts.wakeups.listen(wake, sender);
  }

  close(): Promise<void> {
    return this.#parts.wakeups.close();
  }

  /** If a pooler lost statements, the client is checked again before the next use of the store. */
  #isClaimDue(error: unknown): never {
    if (error instanceof AtlastError && error.code === "prepared_statement_lost") {
      this.#preparation.repeat();
    }
    throw error;
  }

  #runIn(tx: Tx | SqlClient): Run {
    return explained(this.#parts.database.runIn(tx), this.#parts.schema);
  }

  /** Records whose keys are new are all added or the transaction fails, so their answer need not be awaited. */
  async #addIn(
    given: Tx | SqlClient,
    box: Box,
    parts: readonly (readonly NewRecord[])[],
    nowMs: number,
  ): Promise<AddResult[]> {
    const { database } = this.#parts;
    const tx = database.joining(given);
    const writer = { run: this.#runIn(tx), proof: database.proofIn(tx) };
    const adding = this.#add(writer, box, parts, nowMs);
    const [part, ...more] = parts;
    // The second part is sent after the answer to the first, which might be after the commit.
    if (part === undefined || more.length > 0 || !haveNewKeys(part)) return await adding;
    const ahead = database.ahead?.(tx);
    if (ahead === undefined) return await adding;
    await ahead.take(adding);
    return allAdded(part);
  }

  async #addWith(
    notification: Notification,
    box: Box,
    record: NewRecord,
    nowMs: number,
  ): Promise<AddResult> {
    await this.ready();
    await insertNew(this.#run, this.#boxes[box].table, [record], nowMs, notification);
    return { added: true };
  }

  async #add(
    { run, proof = null }: { readonly run: Run; readonly proof?: Proof | null },
    box: Box,
    parts: readonly (readonly NewRecord[])[],
    nowMs: number,
  ): Promise<AddResult[]> {
    const { table, lookup } = this.#boxes[box];
    const results: AddResult[] = [];
    for (const part of parts) {
      const added = proof === null
        ? addPart(run, table, lookup, part, nowMs)
        : proof.write((token) => addPart(run, table, lookup, part, nowMs, { token }));
      results.push(...await added);
    }
    return results;
  }
}

function partsOf(schema: string, box: Box): BoxParts {
  const table = tableOf(schema, box);
  return { table, claimer: new Claimer(table), lookup: new Lookup(table) };
}
