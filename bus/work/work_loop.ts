/**
 * A lane: one kind of background work of a bus, with the records it holds, what wakes it, and its loop.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import { type LoopParts, runLoop } from "./poll_loop.ts";
import { Wake } from "./wake_signal.ts";
import { WorkQueue } from "./work_queue.ts";

/** What a lane does. */
interface LaneParts {
  /** What it is called in the observer's errors. */
  readonly name: string;
  /** How many records it holds at the most; Infinity where claims see to that. */
  readonly capacity: number;
  /** How many it claims at once. */
  readonly claimSize: () => number;
  /** How many of those waiting, from the front, go to one call of `work`; at least one. */
  readonly workSize: (waiting: readonly StoredRecord[]) => number;
  /** How many calls of `work` are under way at once. */
  readonly worksAtOnce: number;
  /** See {@linkcode LoopParts.makeUnroutableDue}. */
  makeUnroutableDue?(): Promise<unknown> | null;
  /** See {@linkcode LoopParts.makeUnroutableDueAgain}. */
  makeUnroutableDueAgain?(dueAtMs: number): Promise<number> | null;
  /** Claims up to `limit` records. */
  claim(limit: number): Promise<StoredRecord[]>;
  /** Claims one suspect and works on it alone; false when there is none. */
  suspect(): Promise<boolean>;
  /** When there is something to claim; null when there is nothing. */
  nextDueAt(): Promise<number | null>;
  /** Whether claims leave something out at the moment, for lack of room. */
  isShort(): boolean;
  /** Works on claimed records; says whether all of them are done with, so that none is to be claimed again. */
  work(records: StoredRecord[]): Promise<boolean>;
  /** Gives back claimed records that were not begun. */
  giveBack(records: StoredRecord[]): Promise<unknown>;
}

/** One kind of background work. */
export class Lane<Tx> {
  /** What wakes its loop. */
  readonly wake: Wake;
  readonly #settings: Settings<Tx>;
  readonly #parts: LaneParts;
  readonly #queue: WorkQueue<StoredRecord>;
  /** Whether there may be something to claim once work that is under way has ended. */
  #look = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(settings: Settings<Tx>, parts: LaneParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.wake = new Wake(settings.clock);
    this.#queue = new WorkQueue({
      capacity: parts.capacity,
      batchOf: parts.workSize,
      maxRuns: parts.worksAtOnce,
      work: async (records) => {
        const isDone = await this.#observed(parts.name, parts.work(records));
        if (isDone !== true) this.#look = true;
      },
      onRoom: () => {
        if (!this.#look) return;
        this.#look = false;
        this.wake.now();
      },
    });
  }

  /** How many more records it takes; none while it does not run. */
  room(): number {
    return this.#queue.room();
  }

  /** Takes a record that is claimed already. */
  push(record: StoredRecord): void {
    this.#queue.push(record);
  }

  /** Starts its loop, which ends once `stopped` says so and it is woken. */
  start(pollMs: number, stopped: () => boolean): void {
    this.#queue.open();
    const { name, claimSize, claim, suspect, nextDueAt } = this.#parts;
    const { makeUnroutableDue, makeUnroutableDueAgain } = this.#parts;
    const parts: LoopParts = {
      name,
      ...(makeUnroutableDue === undefined ? {} : { makeUnroutableDue }),
      ...(makeUnroutableDueAgain === undefined ? {} : { makeUnroutableDueAgain }),
      wake: this.wake,
      batchSize: claimSize,
      room: () => {
        const room = this.#queue.room();
        if (room === 0) this.#look = true;
        return room;
      },
      push: (record: StoredRecord) => this.#queue.push(record),
      claim: (limit: number) => this.#looking(() => claim(limit)),
      suspect,
      nextDueAt: () => this.#looking(nextDueAt),
    };
    this.#loop = runLoop(this.#settings, parts, pollMs, stopped);
  }

  /** Looks for work; what is left out for lack of room is looked for again once there is some. */
  #looking<Result>(look: () => Result): Result {
    if (this.#parts.isShort()) this.#look = true;
    return look();
  }

  /** What is claimed and not begun yet. */
  get waiting(): readonly StoredRecord[] {
    return this.#queue.waiting;
  }

  /** Whether a record waits or is worked on. */
  holds(record: StoredRecord): boolean {
    return this.#queue.holds(record);
  }

  /** Takes a record out that was not begun, under this very claim; undefined when there is none. */
  takeBack({ id, group, epoch }: StoredRecord): StoredRecord | undefined {
    return this.#queue.takeBack((held) =>
      held.id === id && held.group === group && held.epoch === epoch
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
    if (records.length > 0) await this.#observed("release", this.#parts.giveBack(records));
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
