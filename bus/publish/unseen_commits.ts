/**
 * Finds out when messages that were published in transactions of the user have been committed, which the bus
 * does not see: it looks their ids up until they are there.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { RecordKey } from "../../core/ports/record.ts";
import { observed } from "../api/observer.ts";
import { distinctTargets, type Target } from "../records/target.ts";
import type { Settings } from "../settings/settings.ts";

/** Messages of one publish in a transaction of the user. */
export interface Unseen {
  /** The box. */
  readonly box: Box;
  /** Who works on them. */
  readonly targets: readonly Target[];
  /** One of their records. They are committed together. */
  readonly key: RecordKey;
}

/** What is done with messages whose commit was seen. */
interface Commits {
  /** Whether other processes work on such records. */
  notifies(target: Target): boolean;
  /** Wakes the loop of this bus, or notifies other processes. */
  added(target: Target, committed: true): void;
}

/**
 * How long after a publish its commit is looked up first, in milliseconds. A loop of this bus has looked by
 * itself until then; see `Wake.soon`. Other processes have to be notified.
 */
const FIRST_LOOK_MS = { loop: 1_000, others: 100 } as const;
/** The longest time between two looks within the first minute, in milliseconds. */
const LOOK_MS = 1_000;
/** After a minute looks become rarer: a sixtieth of the time since the last publish passes between two. */
const LOOKS_PER_AGE = 60;
/** How long after its publish a commit is looked up, in milliseconds. After that the regular poll finds it. */
const LONGEST_MS = 600_000;
/** How many publishes are looked up in one statement. */
const MAX_UNSEEN = 500;
/** How long the bus looks for work each second without ids, in milliseconds, when there were more publishes. */
const MORE_MS = 60_000;

interface Entry extends Unseen {
  readonly atMs: number;
}

/** The publishes whose commit was not seen yet. */
export class UnseenCommits<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #commits: Commits;
  #entries: Entry[] = [];
  /** Work that may have been committed by publishes that are no longer looked up. */
  readonly #more = new Map<Box, { readonly entry: Entry; readonly untilMs: number }>();
  /** When the oldest publish was added that was not looked up yet. */
  #firstMs = Infinity;
  #lastMs = 0;
  #cancel: (() => void) | null = null;
  #isLooking = false;
  #isEnded = false;

  constructor(settings: Settings<Tx>, commits: Commits) {
    this.#settings = settings;
    this.#commits = commits;
  }

  /** Looks for a commit from now on. */
  add(unseen: Unseen): void {
    const { store, clock } = this.#settings;
    const isUseful = !this.#notifies(unseen) || store.capabilities.notifications === true;
    if (this.#isEnded || !isUseful || store.hints?.haveBeenAdded === undefined) return;
    const atMs = clock.now();
    this.#entries.push({ ...unseen, atMs });
    if (this.#entries.length > MAX_UNSEEN) {
      const [entry] = this.#entries.splice(0, 1) as [Entry];
      this.#more.set(entry.box, { entry, untilMs: atMs + MORE_MS });
    }
    this.#firstMs = Math.min(this.#firstMs, atMs);
    this.#lastMs = atMs;
    this.#schedule();
  }

  /** Notifies other processes a last time, of what may be committed later. */
  end(): void {
    this.#isEnded = true;
    this.#cancel?.();
    const left = [...this.#more.values()].map(({ entry }) => entry).concat(this.#entries);
    this.#entries = [];
    this.#more.clear();
    this.#found(left);
  }

  #notifies({ targets }: Unseen): boolean {
    return targets.some((target) => this.#commits.notifies(target));
  }

  #schedule(): void {
    if (this.#cancel !== null || this.#isLooking || this.#isEnded) return;
    if (this.#entries.length === 0 && this.#more.size === 0) return;
    const ageMs = this.#settings.clock.now() - this.#lastMs;
    const firstMs = this.#entries.some((entry) => this.#notifies(entry))
      ? FIRST_LOOK_MS.others
      : FIRST_LOOK_MS.loop;
    const delayMs = Math.max(Math.min(ageMs, LOOK_MS), firstMs, ageMs / LOOKS_PER_AGE);
    this.#cancel = this.#settings.clock.after(delayMs, () => {
      this.#cancel = null;
      const nowMs = this.#settings.clock.now();
      // While there are ever more publishes, one look each second finds all of them.
      const isTooSoon = nowMs - this.#lastMs < firstMs && nowMs - this.#firstMs < LOOK_MS;
      if (isTooSoon) return this.#schedule();
      this.#isLooking = true;
      observed(this.#settings.observe, "look for commits", () => this.#look(nowMs)).then(() => {
        this.#isLooking = false;
        this.#schedule();
      });
    });
  }

  async #look(nowMs: number): Promise<void> {
    const { store } = this.#settings;
    this.#firstMs = Infinity;
    const entries = this.#entries;
    const seen = new Set<Entry>();
    for (const box of ["outbox", "inbox"] as const) {
      const ofBox = entries.filter((entry) => entry.box === box);
      if (ofBox.length === 0) continue;
      try {
        const added = await store.hints?.haveBeenAdded?.(box, ofBox.map(({ key }) => key)) ?? [];
        ofBox.forEach((entry, i) => added[i] === true && seen.add(entry));
      } catch (error) {
        // The store may be gone because its program ends, and would be kept alive by further looks.
        if (ofBox.some((entry) => this.#notifies(entry))) ofBox.forEach((entry) => seen.add(entry));
        throw error;
      } finally {
        const isOver = ({ atMs }: Entry) => nowMs - atMs >= LONGEST_MS;
        this.#entries = this.#entries.filter((entry) => !seen.has(entry) && !isOver(entry));
      }
    }
    const more = [...this.#more.values()].map(({ entry }) => entry);
    for (const [box, { untilMs }] of this.#more) if (untilMs <= nowMs) this.#more.delete(box);
    this.#found([...seen, ...more]);
  }

  #found(entries: readonly Unseen[]): void {
    const targets = distinctTargets(entries.flatMap((entry) => entry.targets));
    for (const target of targets) this.#commits.added(target, true);
  }
}
