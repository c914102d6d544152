/**
 * The work of a tick or a flush on a running bus: its loops do it, and the call waits until what was due is settled.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { WorkLoop } from "./work_loop.ts";
import type { WorkEnd } from "./work_source.ts";

/** What the loops did while a call waited. */
interface LoopCounts {
  readonly sent: number;
  readonly handled: number;
  readonly checked: number;
  readonly failed: number;
}

/** The loops of a running bus, by what they do. */
export type Loops<Tx> = Partial<Readonly<Record<"sent" | "handled" | "checked", WorkLoop<Tx>>>>;

/** Waits for the work of loops that is due when it is created. */
export class DueWork<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #loops: readonly WorkLoop<Tx>[];
  readonly #untilMs: number;
  readonly #isStopping: () => boolean;
  readonly #calledAtMs: number;
  readonly #counts = { sent: 0, handled: 0, checked: 0, failed: 0 };
  /** The ids of messages that this bus sent or pulled: their records of the inbox are due with them. */
  readonly #arriving = new Set<string>();
  /** The records that have ended once. Their next attempts were not due at the call. */
  readonly #ended = new Set<string>();
  /** Whether a record that was due has ended since the last look. */
  #hasEnded = false;
  #awaited = new Set<StoredRecord>();
  #resolve = () => {};
  readonly #unwatch: (() => void)[];
  readonly #budget: Promise<void>;
  /** Whether the budget is spent, also if the clock has been set back since. */
  #isSpent = false;
  readonly #cancel: () => void;

  constructor(
    settings: Settings<Tx>,
    loops: Loops<Tx>,
    untilMs: number,
    isStopping: () => boolean,
  ) {
    this.#settings = settings;
    this.#loops = Object.values(loops);
    this.#untilMs = untilMs;
    this.#isStopping = isStopping;
    this.#calledAtMs = settings.clock.now();
    let cancel = () => {};
    this.#budget = new Promise((resolve) => {
      cancel = settings.clock.after(Math.max(0, untilMs - this.#calledAtMs), () => {
        this.#isSpent = true;
        resolve();
      });
    });
    this.#cancel = () => cancel();
    this.#unwatch = (["sent", "handled", "checked"] as const).map((count) =>
      loops[count]?.watch((records, end) => this.#left(count, records, end)) ?? (() => {})
    );
  }

  /** What the loops have done since the call, also what was not due then. */
  get counts(): LoopCounts {
    return this.#counts;
  }

  /** Messages were pulled into the inbox that were sent before the call. */
  arrived(ids: readonly string[]): void {
    for (const id of ids) this.#arriving.add(id);
  }

  /**
   * Waits until all that was due is settled or the budget is spent. `before` is called before each
   * look of the loops.
   */
  async settle(before: () => Promise<void>): Promise<void> {
    while (!this.#isOver()) {
      this.#hasEnded = false;
      await this.#inTime(before());
      await this.#inTime(Promise.all(this.#loops.map((loop) => loop.looked())));
      const due = this.#claimed.filter((record) => this.#isDue(record));
      if (due.length > 0) await this.#inTime(this.#leaving(due));
      else if (this.#hasEnded) continue;
      // Others have all the capacity, and something that was due waits for it in the store.
      else if (this.#claimed.length > 0 && await this.#isLeft()) {
        // Some may have ended while the store was asked.
        await this.#inTime(this.#leaving(this.#claimed));
      } else return;
    }
  }

  /** Ends the count. */
  end(): void {
    this.#cancel();
    for (const unwatch of this.#unwatch) unwatch();
  }

  get #claimed(): StoredRecord[] {
    return this.#loops.flatMap((loop) => loop.claimed);
  }

  #isOver(): boolean {
    return this.#isStopping() || this.#isSpent || this.#settings.clock.now() >= this.#untilMs;
  }

  async #inTime(work: Promise<unknown>): Promise<void> {
    await Promise.race([work, this.#budget]);
  }

  /** Resolves when all these records have left the loops. */
  #leaving(records: readonly StoredRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    this.#awaited = new Set(records);
    return new Promise((resolve) => this.#resolve = resolve);
  }

  #left(
    count: "sent" | "handled" | "checked",
    records: readonly StoredRecord[],
    end: WorkEnd | undefined,
  ): void {
    this.#counts[count] += end?.done ?? 0;
    this.#counts.handled += end?.handled ?? 0;
    this.#counts.failed += end?.failed ?? 0;
    for (const record of records) {
      this.#awaited.delete(record);
      if (!this.#isDue(record)) continue;
      this.#hasEnded = true;
      this.#ended.add(keyOf(record));
      this.#arriving.add(record.id);
    }
    if (this.#awaited.size === 0) this.#resolve();
  }

  #isDue(record: StoredRecord): boolean {
    if (this.#ended.has(keyOf(record))) return false;
    const isArriving = record.group !== "" && this.#arriving.has(record.id);
    return isArriving || record.dueAtMs <= this.#calledAtMs;
  }

  /** Whether a loop that lacks capacity leaves a record in the store that was due. */
  async #isLeft(): Promise<boolean> {
    const short = this.#loops.filter((loop) => loop.isShort);
    const times = await Promise.all(short.map(async (loop) => dueTime(await loop.nextDueAt())));
    return times.some((dueAtMs) => dueAtMs !== null && dueAtMs <= this.#calledAtMs);
  }
}

function keyOf({ id, group }: StoredRecord): string {
  return JSON.stringify([group, id]);
}
