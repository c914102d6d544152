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

/** Takes over what others left behind. */
export class TakeOver {
  readonly #settings: StreamSettings;
  readonly #turn: Turn;
  /** Where to go on in streams that had more than could be taken at once. */
  readonly #cursors = new Map<string, string>();

  constructor(settings: StreamSettings) {
    this.#settings = settings;
    this.#turn = new Turn(settings, "takeover", settings.takeOverEveryMs);
  }

  /** Whether there is more of these streams to take over at once. */
  hasMore(keys: readonly string[]): boolean {
    return keys.some((key) => this.#cursors.has(key));
  }

  /**
   * Up to `count` entries of each stream that are idle, now this consumer's; nothing when it is not this
   * process's turn. `won` says whether it was.
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
      // Without the group, or with an error that a later turn may not meet, there is nothing here now.
      const [cursor, entries] = listOf(results[i]?.result);
      if (cursor === undefined || String(cursor) === BEGINNING) this.#cursors.delete(key);
      else this.#cursors.set(key, String(cursor));
      return entriesOf(key, entries);
    });
  }

  /** How often each was fetched, which a claim does not say: one more command for each stream that has some. */
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

/** As many as Upstash lets one consumer hold. */
const MAX_PENDING = 1000;
