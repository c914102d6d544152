/**
 * The loop of one work source on a started bus: what it has claimed, what wakes it, and what it releases when
 * the bus stops.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import { runLoop } from "./poll_loop.ts";
import { Wake } from "./wake_signal.ts";
import { WorkQueue } from "./work_queue.ts";
import type { WorkSource } from "./work_source.ts";

/** The loop of one source, with the records that it holds. */
export class WorkLoop<Tx> {
  /** What wakes it. */
  readonly wake: Wake;
  readonly #settings: Settings<Tx>;
  readonly #source: WorkSource;
  readonly #queue: WorkQueue<StoredRecord>;
  /** Whether there may be something to claim once work that is under way has ended. */
  #look = false;
  /** One at a time: if it kills this process, it must not take other suspects with it each time. */
  #expired: StoredRecord | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(settings: Settings<Tx>, source: WorkSource) {
    this.#settings = settings;
    this.#source = source;
    this.wake = new Wake(settings.clock);
    this.#queue = new WorkQueue({
      capacity: source.capacity,
      batchOf: (waiting) => this.#batchOf(waiting),
      maxRuns: source.worksAtOnce,
      work: async (records) => {
        const end = await this.#observed(source.name, source.work(records));
        // The next suspect waits for this one to end.
        const wasExpired = records.some((record) => record === this.#expired);
        if (end?.isFinal !== true || wasExpired) this.#look = true;
      },
      onCapacity: () => {
        if (!this.#look) return;
        this.#look = false;
        this.wake.now();
      },
    });
  }

  /** How many more records it takes; none while it does not run. */
  capacity(): number {
    return this.#queue.capacity();
  }

  /** Takes a record that is claimed already. */
  push(record: StoredRecord): void {
    this.#queue.push(record);
  }

  /** Starts it; it ends once `stopped` says so and it is woken. */
  start(pollMs: number, stopped: () => boolean): void {
    this.#queue.open();
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
        claimExpired: () => this.#claimExpired(),
      },
      pollMs,
      stopped,
    );
  }

  /** Looks for work; what is left out for lack of capacity is looked for again once there is some. */
  #looking<Result>(look: () => Result): Result {
    if (this.#source.isShort()) this.#look = true;
    return look();
  }

  async #claimExpired(): Promise<boolean> {
    if (this.#expired !== undefined && this.#queue.has(this.#expired)) return false;
    [this.#expired] = await this.#source.claim("expired", 1);
    if (this.#expired === undefined) return false;
    this.#queue.push(this.#expired);
    return true;
  }

  /** A suspect is worked on alone. */
  #batchOf(waiting: readonly StoredRecord[]): number {
    if (waiting[0] === this.#expired) return 1;
    const size = this.#source.batchSize(waiting);
    const expiredAt = this.#expired === undefined ? -1 : waiting.indexOf(this.#expired);
    return expiredAt < 0 ? size : Math.min(size, expiredAt);
  }

  /** What is claimed and not begun yet. */
  get waiting(): readonly StoredRecord[] {
    return this.#queue.waiting;
  }

  /** Takes a record out that was not begun, under this very claim; undefined when there is none. */
  takeBack({ id, group, epoch }: StoredRecord): StoredRecord | undefined {
    return this.#queue.takeBack((claimed) =>
      claimed.id === id && claimed.group === group && claimed.epoch === epoch
    );
  }

  /** Takes no more, and gives back what was not begun. */
  async drain(): Promise<void> {
    const left = this.#queue.close();
    this.wake.now();
    await this.#loop;
    // What the loop claimed in its last round is held too.
    left.push(...this.#queue.close());
    await this.#giveBack(left);
  }

  /** Gives back what was handed over since, and waits for what was begun. */
  async finish(): Promise<void> {
    await this.#giveBack(this.#queue.close());
    await this.idle();
  }

  /** Resolves when nothing is held. */
  async idle(): Promise<void> {
    await this.#queue.idle();
  }

  async #giveBack(records: StoredRecord[]): Promise<void> {
    if (records.length > 0) await this.#observed("release", this.#source.release(records));
  }

  /** Work that nobody waits for; its errors are observed. */
  async #observed<Result>(during: string, work: Promise<Result>): Promise<Result | undefined> {
    try {
      return await work;
    } catch (error) {
      this.#settings.observe({ kind: "error", during, error });
      return undefined;
    }
  }
}
