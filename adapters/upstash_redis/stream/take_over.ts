/**
 * Takes over entries that a consumer fetched and never acknowledged, because it died or is stuck.
 *
 * @module
 */
import type { StreamSettings } from "./options.ts";
import { entriesOf, type Entry } from "./reading.ts";
import { type Command, listOf, runAll } from "./run.ts";
import { Turn } from "./turn.ts";

const BEGINNING = "0-0";

/** Takes over entries that other consumers left. */
export class TakeOver {
  readonly #settings: StreamSettings;
  readonly #turn: Turn;
  /** Where to continue in streams that had more entries than one call takes. */
  readonly #cursors = new Map<string, string>();

  constructor(settings: StreamSettings) {
    this.#settings = settings;
    this.#turn = new Turn(settings, "takeover", settings.takeOverEveryMs);
  }

  /** Whether these streams have more to take over. */
  hasMore(keys: readonly string[]): boolean {
    return keys.some((key) => this.#cursors.has(key));
  }

  /**
   * Takes up to `count` idle entries of each stream for this consumer, if it is this process's turn. `won`
   * says whether it was.
   */
  async run(
    keys: readonly string[],
    count: number,
    nowMs: number,
  ): Promise<{ readonly won: boolean; readonly entries: Entry[] }> {
    const won = await this.#turn.taken(nowMs);
    if (won) { for (const key of keys) this.#cursors.set(key, BEGINNING); }
    const open = keys.filter((key) => this.#cursors.has(key));
    if (open.length === 0) return { won, entries: [] };
    const claimed = await this.#claim(open, count);
    return { won, entries: await this.#withDeliveries(claimed) };
  }

  async #claim(keys: readonly string[], count: number): Promise<Entry[]> {
    const { redis, group, consumer, minIdleMs } = this.#settings;
    const results = await runAll(
      redis,
      "XAUTOCLAIM",
      keys.map((key): Command => (pipeline) =>
        pipeline.xautoclaim(
          key,
          group,
          consumer(),
          minIdleMs,
          this.#cursors.get(key) ?? BEGINNING,
          { count },
        )
      ),
    );
    return keys.flatMap((key, i) => {
      // Without the group, or after an error that may be temporary, there is nothing to take now.
      const [cursor, entries] = listOf(results[i]?.result);
      if (cursor === undefined || String(cursor) === BEGINNING) this.#cursors.delete(key);
      else this.#cursors.set(key, String(cursor));
      return entriesOf(key, entries);
    });
  }

  /** How often each was fetched, which a claim does not return: one more command for each stream with entries. */
  async #withDeliveries(entries: readonly Entry[]): Promise<Entry[]> {
    const { redis, group, consumer } = this.#settings;
    const byKey = new Map<string, Entry[]>();
    for (const entry of entries) {
      const own = byKey.get(entry.key);
      if (own === undefined) byKey.set(entry.key, [entry]);
      else own.push(entry);
    }
    const results = await runAll(
      redis,
      "XPENDING",
      [...byKey].map(([key, own]): Command => (pipeline) =>
        pipeline.xpending(key, group, own[0]!.id, own.at(-1)!.id, MAX_PENDING, {
          consumer: consumer(),
        })
      ),
    );
    const deliveries = new Map(
      [...byKey.keys()].flatMap((key, i) =>
        listOf(results[i]?.result).map((item) => {
          const [id, , , count] = listOf(item);
          return [`${id} ${key}`, Number(count)] as const;
        })
      ),
    );
    return entries.map((entry) => ({
      ...entry,
      deliveries: deliveries.get(`${entry.id} ${entry.key}`) ?? entry.deliveries,
    }));
  }
}

/** Upstash's limit of pending entries for one consumer. */
const MAX_PENDING = 1000;
