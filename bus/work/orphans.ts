/**
 * Finds messages of the inbox that nobody handles. A running bus looks every `orphanAfterMs`, `Bus.health` when it is
 * called and a minute has passed, `Bus.orphans` whenever it is called.
 *
 * @module
 */
import type { Orphans } from "../api/orphans.ts";
import { withinTime } from "../async/deadline.ts";
import type { Settings } from "../settings/settings.ts";
import { Wake } from "./wake_signal.ts";

/** How long a result is used, and the least time between two looks of a running bus, in milliseconds. */
const LOOK_EVERY_MS = 60_000;
/** How long a look may take, in milliseconds. */
const LOOK_TIMEOUT_MS = 5_000;

/** Looks for messages that nobody handles. */
export class OrphanWatch<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #wake: Wake;
  #found: readonly Orphans[] = [];
  #lookedAtMs = -Infinity;
  #reported: ReadonlySet<string> = new Set();

  constructor(settings: Settings<Tx>) {
    this.#settings = settings;
    this.#wake = new Wake(settings.clock);
  }

  /** The orphans, at most a minute old; the last ones that were found if the store does not answer. Never rejects. */
  async recent(): Promise<readonly Orphans[]> {
    const { clock, observe } = this.#settings;
    const nowMs = clock.now();
    if (Math.abs(nowMs - this.#lookedAtMs) < LOOK_EVERY_MS) return this.#found;
    this.#lookedAtMs = nowMs;
    try {
      await this.look();
    } catch (error) {
      observe({ kind: "error", during: "orphans", error });
    }
    return this.#found;
  }

  /** Looks now, and reports those that were not there at the last look. */
  async look(): Promise<readonly Orphans[]> {
    const { store, clock, orphanAfterMs, subscriptions, observe } = this.#settings;
    const { hints } = store;
    if (hints?.oldestDue === undefined) return [];
    const nowMs = clock.now();
    const request = { nowMs, dueSinceMs: nowMs - orphanAfterMs };
    const due = await withinTime(
      clock,
      LOOK_TIMEOUT_MS,
      "The store did not say which messages have been due the longest",
      async () => await hints.oldestDue?.(request) ?? [],
    );
    this.#lookedAtMs = nowMs;
    this.#found = due
      .filter(({ name, group, isClaimed }) => !isClaimed && !subscriptions.of(name).has(group))
      .map(({ name, group, count, sinceMs }) => ({ name, group, count, sinceMs }));
    const before = this.#reported;
    this.#reported = new Set(this.#found.map(keyOf));
    for (const orphans of this.#found) {
      if (!before.has(keyOf(orphans))) observe({ kind: "orphaned", ...orphans });
    }
    return this.#found;
  }

  /** Looks after each pause, until `stopped` returns true and {@linkcode OrphanWatch.end} is called. Never rejects. */
  async watch(stopped: () => boolean): Promise<void> {
    const { clock, orphanAfterMs } = this.#settings;
    while (!stopped()) {
      await this.#wake.sleep(clock.now() + Math.max(LOOK_EVERY_MS, orphanAfterMs));
      if (!stopped()) await this.recent();
    }
  }

  /** Ends the pause of {@linkcode OrphanWatch.watch}. */
  end(): void {
    this.#wake.now();
  }
}

function keyOf({ name, group }: Orphans): string {
  return `${group}\n${name}`;
}
