/**
 * The loop of one work source on a started bus: its claimed records, its wake-up, and the release
 * of records when the bus stops.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import { runLoop } from "./poll_loop.ts";
import { Wake } from "./wake_signal.ts";
import { WorkQueue } from "./work_queue.ts";
import type { WorkEnd, WorkSource } from "./work_source.ts";

/** Called with records that leave a loop: settled, or released without work. */
type LoopWatcher = (records: readonly StoredRecord[], end: WorkEnd | undefined) => void;

/** A call that waits for the next look of a loop. */
interface Looker {
  resolve(): void;
  reject(error: unknown): void;
}

/** The loop of one source, with the records that it has claimed. */
export class WorkLoop<Tx> {
  /** What wakes it. */
  readonly wake: Wake;
  readonly #settings: Settings<Tx>;
  readonly #source: WorkSource;
  readonly #queue: WorkQueue<StoredRecord>;
  /** Whether the loop must claim again once work in flight has ended. */
  #look = false;
  /** Whether there is capacity again for the records that the last claim left out; null if it left out none. */
  #hasCapacityAgain: (() => boolean) | null = null;
  /**
   * The record in work that was claimed alone. The loop claims one at a time: if its work crashes
   * this process, no other such record counts that crash.
   */
  #alone: StoredRecord | undefined;
  #loop: Promise<void> = Promise.resolve();
  #isRunning = false;
  #lookers: Looker[] = [];
  readonly #watchers = new Set<LoopWatcher>();

  constructor(settings: Settings<Tx>, source: WorkSource) {
    this.#settings = settings;
    this.#source = source;
    this.wake = new Wake(settings.clock);
    this.#queue = new WorkQueue({
      capacity: () => source.capacity(),
      batchOf: (waiting) => this.#batchOf(waiting),
      maxRuns: source.worksAtOnce,
      work: async (records, ended) => {
        const rest = new Set(records);
        const each = (record: StoredRecord, end: WorkEnd) => {
          rest.delete(record);
          if (!end.isFinal) this.#look = true;
          ended(record);
          this.#left([record], end);
        };
        const end = await this.#observed(source.name, source.work(records, undefined, each));
        // The next such record is claimed only after this one.
        const wasAlone = records.some((record) => record === this.#alone);
        if (wasAlone || (rest.size > 0 && end?.isFinal !== true)) this.#look = true;
        this.#left([...rest], end);
      },
      onCapacity: () => {
        if (!this.#look && this.#hasCapacityAgain?.() !== true) return;
        this.#look = false;
        this.#hasCapacityAgain = null;
        this.wake.now();
      },
    });
  }

  /** How many more records it takes; none while it is not running. */
  capacity(): number {
    return this.#queue.capacity();
  }

  /** Called when this bus has stored a record of a group that is to be claimed here. */
  added(group: string): void {
    // Those stored with it begin before this looks.
    queueMicrotask(() => this.#source.added?.(group, this.capacity()));
  }

  /** Takes a record that is already claimed. */
  push(record: StoredRecord): void {
    this.#queue.push(record);
  }

  /** Starts the loop. It ends once `stopped` returns true and it is woken. */
  start(pollMs: () => number, stopped: () => boolean): void {
    this.#queue.open();
    this.#isRunning = true;
    const source: WorkSource = {
      ...this.#source,
      claim: (kind, limit) => this.#looking(() => this.#source.claim(kind, limit)),
      nextDueAt: () => this.#looking(() => this.#source.nextDueAt()),
    };
    this.#loop = runLoop(
      this.#settings,
      {
        source,
        wake: this.wake,
        capacity: () => {
          const capacity = this.#queue.capacity();
          if (capacity === 0) this.#look = true;
          return capacity;
        },
        push: (record) => this.#queue.push(record),
        look: (look) => this.#during(look),
        claimAlone: () => this.#claimAlone(),
      },
      pollMs,
      stopped,
    );
  }

  /** Runs a claim. If capacity was short, the loop claims again once there is capacity. */
  #looking<Result>(look: () => Result): Result {
    this.#hasCapacityAgain = this.#source.leftOut();
    return look();
  }

  async #claimAlone(): Promise<boolean> {
    if (this.#alone !== undefined && this.#queue.has(this.#alone)) return false;
    [this.#alone] = await this.#source.claim("alone", 1);
    if (this.#alone === undefined) return false;
    this.#queue.push(this.#alone);
    return true;
  }

  /**
   * How many waiting records, from the front, form one batch. A record that is claimed alone is a batch of one.
   */
  #batchOf(waiting: readonly StoredRecord[]): number {
    if (waiting[0] === this.#alone) return 1;
    const size = this.#source.batchSize(waiting);
    const aloneAt = this.#alone === undefined ? -1 : waiting.indexOf(this.#alone);
    return aloneAt < 0 ? size : Math.min(size, aloneAt);
  }

  /** The records that are claimed and not begun. */
  get waiting(): readonly StoredRecord[] {
    return this.#queue.waiting;
  }

  /** The records that are claimed, those in work included. */
  get claimed(): readonly StoredRecord[] {
    return this.#queue.claimed;
  }

  /** Whether due records may be left in the store for lack of capacity. */
  get isShort(): boolean {
    return this.#queue.capacity() === 0 || this.#source.leftOut() !== null;
  }

  /** See {@linkcode WorkSource.nextDueAt}. */
  nextDueAt(): Promise<number | null> {
    return this.#source.nextDueAt();
  }

  /** Calls `watcher` with the records that leave the loop, until the returned function is called. */
  watch(watcher: LoopWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Makes the loop look for due records, and resolves after a look that began after this call: what
   * it found is then claimed here. Rejects when the look failed.
   */
  async looked(): Promise<void> {
    if (!this.#isRunning) return;
    const looked = new Promise<void>((resolve, reject) => this.#lookers.push({ resolve, reject }));
    this.wake.now();
    await looked;
  }

  async #during<Result>(look: () => Promise<Result>): Promise<Result> {
    const lookers = this.#lookers.splice(0);
    try {
      const result = await look();
      for (const { resolve } of lookers) resolve();
      return result;
    } catch (error) {
      for (const { reject } of lookers) reject(error);
      throw error;
    }
  }

  #left(records: readonly StoredRecord[], end?: WorkEnd): void {
    if (records.length > 0) { for (const watcher of this.#watchers) watcher(records, end); }
  }

  /**
   * Removes a record that was claimed under this epoch and not begun; returns undefined when there
   * is none.
   */
  takeBack({ id, group, epoch }: StoredRecord): StoredRecord | undefined {
    const taken = this.#queue.takeBack((claimed) =>
      claimed.id === id && claimed.group === group && claimed.epoch === epoch
    );
    if (taken !== undefined) this.#left([taken]);
    return taken;
  }

  /** Takes no more records, and releases those that were not begun. */
  async drain(): Promise<void> {
    const left = this.#queue.close();
    this.wake.now();
    await this.#loop;
    this.#isRunning = false;
    for (const { resolve } of this.#lookers.splice(0)) resolve();
    // The last round of the loop may have claimed more.
    left.push(...this.#queue.close());
    await this.#giveBack(left);
  }

  /** Releases records pushed since {@linkcode WorkLoop.drain}, and waits for the work in flight. */
  async finish(): Promise<void> {
    await this.#giveBack(this.#queue.close());
    await this.#queue.idle();
  }

  async #giveBack(records: StoredRecord[]): Promise<void> {
    if (records.length > 0) await this.#observed("release", this.#source.release(records));
    this.#left(records);
  }

  /** Waits for background work; its errors go to the observer. */
  async #observed<Result>(during: string, work: Promise<Result>): Promise<Result | undefined> {
    try {
      return await work;
    } catch (error) {
      this.#settings.observe({ kind: "error", during, error });
      return undefined;
    }
  }
}
