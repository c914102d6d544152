/**
 * The database of a service: the memory store on records that are watched. It may crash, and then loses what was not
 * synced, as `adapters/sql/async_commit.ts` allows: leases are as they were before they were renewed, and rows that
 * pruning deleted come back.
 *
 * @module
 */
import { Records } from "../../../adapters/memory/records.ts";
import { memoryStoreOn } from "../../../adapters/memory/memory_store.ts";
import type { Box } from "../../../mod.ts";
import type { Store, StoredRecord } from "../../../ports.ts";
import type { Tx } from "../../support/bus_fixture.ts";
import { type ChangeKind, kindOf } from "../change.ts";
import { Unlucky } from "./simulated_process.ts";

/** How long after its commit a write that does not wait for the disk may be lost: three delays of the WAL writer. */
const UNSYNCED_MS = 600;

/** Is told of each change of a record. */
export type Watch = (
  box: Box,
  kind: ChangeKind,
  before: StoredRecord | null,
  after: StoredRecord | null,
) => void;

interface Write {
  readonly box: Box;
  readonly before: StoredRecord;
  readonly atMs: number;
}

/** A database server that may crash. */
export class Server {
  /** How often it has crashed. */
  crashes = 0;
  /** Until when it does not answer, in Unix milliseconds. */
  downUntilMs = 0;
  readonly #now: () => number;

  /** @param now The time, in Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Crashes, and comes back after some time. */
  stopFor(downMs: number): void {
    this.crashes += 1;
    this.downUntilMs = this.#now() + downMs;
  }

  /** Whether it does not answer now. */
  get isDown(): boolean {
    return this.downUntilMs > this.#now();
  }

  /** @throws {Unlucky} while it is down, or if it has crashed since it had crashed `crashes` times. */
  mustAnswer(crashes: number = this.crashes): void {
    if (this.isDown) throw new Unlucky("the database is starting up");
    if (crashes !== this.crashes) throw new Unlucky("the database closed the connection");
  }
}

/** The database of a service. */
export class Database extends Server {
  /** The store in it. */
  readonly store: Store<Tx>;
  readonly #boxes: Readonly<Record<Box, WatchedRecords>>;
  readonly #now: () => number;
  readonly #watch: Watch;
  #unsynced: Write[] = [];
  #isRestoring = false;

  constructor(now: () => number, watch: Watch) {
    super(now);
    this.#now = now;
    this.#watch = watch;
    const records = (box: Box) =>
      new WatchedRecords((before, after) => this.#changed(box, before, after));
    this.#boxes = { outbox: records("outbox"), inbox: records("inbox") };
    this.store = memoryStoreOn(this.#boxes);
  }

  /** Crashes, and comes back after some time. Of the writes that were not synced it keeps the first `share`. */
  crash(share: number, downMs: number): void {
    const nowMs = this.#now();
    this.stopFor(downMs);
    const lost = this.#unsynced.filter(({ atMs }) => atMs > nowMs - UNSYNCED_MS);
    lost.splice(0, Math.floor(share * lost.length));
    this.#unsynced = [];
    this.#isRestoring = true;
    for (const { box, before } of lost.reverse()) this.#boxes[box].put(before);
    this.#isRestoring = false;
  }

  #changed(box: Box, before: StoredRecord | null, after: StoredRecord | null): void {
    if (this.#isRestoring) return this.#watch(box, "restored", before, after);
    const kind = kindOf(before, after);
    const isUnsynced = kind === "renewed" || kind === "pruned" || kind === "made_due";
    if (before === null || !isUnsynced) this.#unsynced.length = 0;
    else this.#unsynced.push({ box, before, atMs: this.#now() });
    this.#watch(box, kind, before, after);
  }
}

class WatchedRecords extends Records {
  readonly #changed: (before: StoredRecord | null, after: StoredRecord | null) => void;

  constructor(changed: (before: StoredRecord | null, after: StoredRecord | null) => void) {
    super();
    this.#changed = changed;
  }

  override put(record: StoredRecord): void {
    const before = this.get(record) ?? null;
    super.put(record);
    this.#changed(before, record);
  }

  override delete(record: StoredRecord): void {
    super.delete(record);
    this.#changed(record, null);
  }
}
