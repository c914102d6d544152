/**
 * Prunes streams: trims entries that every group has read, and removes dead consumers. `pull` calls it at
 * intervals.
 *
 * @module
 */
import type { StreamSettings } from "./options.ts";
import { type Command, listOf, mapOf, runAll, runOne } from "./run.ts";
import { Turn } from "./turn.ts";

/**
 * Removes consumers without pending entries, and checks that in the same step: a consumer that became active
 * meanwhile has entries again, which its group would lose.
 */
const REMOVE_CONSUMERS = `
local gone = {}
for i = 3, #ARGV do gone[ARGV[i]] = true end
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local info = {}
  for i = 1, #consumer, 2 do info[consumer[i]] = consumer[i + 1] end
  if gone[info.name] and info.pending == 0 and info.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info.name)
    removed = removed + 1
  end
end
return removed`;

/** The id of an entry: when it was added, in milliseconds, and a number. */
const ID = /^\d+-\d+$/;

/** How many consumers of a stream are removed at once. */
const MAX_REMOVED = 100;

/** Prunes streams at intervals. */
export class StreamPruner {
  readonly #settings: StreamSettings;
  readonly #turn: Turn;
  /** Up to which id each stream was trimmed, to skip streams without progress. */
  readonly #trimmed = new Map<string, string>();

  constructor(settings: StreamSettings) {
    this.#settings = settings;
    this.#turn = new Turn(settings, "prune", settings.pruneEveryMs);
  }

  /** Prunes these streams, if it is this process's turn. */
  async run(keys: readonly string[], nowMs: number): Promise<void> {
    if (!await this.#turn.taken(nowMs)) return;
    const { redis, group, keepMs } = this.#settings;
    const results = await runAll(redis, "XINFO", [
      ...keys.map((key): Command => (pipeline) => pipeline.xinfo(key, { type: "GROUPS" })),
      ...keys.map((key): Command => (pipeline) =>
        pipeline.xinfo(key, { type: "CONSUMERS", group })
      ),
    ]);
    const streams = keys.map((key, i) => ({ key, groups: groupsOf(results[i]?.result) }));
    await this.#trim(streams, `${Math.max(0, nowMs - keepMs)}-0`);
    for (const [i, key] of keys.entries()) {
      await this.#removeConsumers(key, results[keys.length + i]?.result);
    }
  }

  /**
   * Deletes what is older than `recent` and every group has read and acknowledged. Groups only advance, so
   * slightly old positions can keep too much, never too little.
   */
  async #trim(
    streams: readonly { key: string; groups: readonly Group[] }[],
    recent: string,
  ): Promise<void> {
    const { redis } = this.#settings;
    const unread = streams.flatMap(({ key, groups }) =>
      groups.filter(({ pending }) => pending > 0).map(({ name }) => ({ key, name }))
    );
    const answers = await runAll(
      redis,
      "XPENDING",
      unread.map(({ key, name }): Command => (pipeline) =>
        pipeline.xpending(key, name, "-", "+", 1)
      ),
    );
    const firstPending = new Map(unread.map(({ key, name }, i) => {
      const [first] = listOf(answers[i]?.result);
      const [id] = listOf(first);
      return [`${name} ${key}`, id === undefined ? null : String(id)];
    }));
    const trims = streams.flatMap(({ key, groups }) => {
      const needed = groups.map(({ name, pending, lastRead }) =>
        pending === 0 ? after(lastRead) : firstPending.get(`${name} ${key}`) ?? null
      );
      const threshold = groups.length === 0 ? null : smallest([recent, ...needed]);
      if (threshold === null || this.#trimmed.get(key) === threshold) return [];
      return [{ key, threshold }];
    });
    const trimmed = await runAll(
      redis,
      "XTRIM",
      trims.map(({ key, threshold }): Command => (pipeline) =>
        pipeline.xtrim(key, { strategy: "MINID", exactness: "=", threshold })
      ),
    );
    trims.forEach(({ key, threshold }, i) => {
      if (!trimmed[i]?.error) this.#trimmed.set(key, threshold);
    });
  }

  async #removeConsumers(key: string, answer: unknown): Promise<void> {
    const { redis, group, consumer, removeConsumerAfterMs } = this.#settings;
    const gone = listOf(answer).map(mapOf)
      .filter((info) =>
        Number(info.get("pending")) === 0 && Number(info.get("idle")) >= removeConsumerAfterMs
      )
      .map((info) => String(info.get("name")))
      .filter((name) => name !== consumer())
      .slice(0, MAX_REMOVED);
    if (gone.length === 0) return;
    await runOne(redis, ["EVAL", REMOVE_CONSUMERS, 1, key, group, removeConsumerAfterMs, ...gone]);
  }
}

interface Group {
  readonly name: string;
  readonly pending: number;
  readonly lastRead: string;
}

function groupsOf(answer: unknown): Group[] {
  return listOf(answer).map(mapOf).map((group) => ({
    name: String(group.get("name")),
    pending: Number(group.get("pending")),
    lastRead: String(group.get("last-delivered-id")),
  }));
}

/** The smallest of some ids; null when there are none, or one of them is unknown. */
function smallest(ids: readonly (string | null)[]): string | null {
  let least: string | null = null;
  for (const id of ids) {
    if (id === null || !ID.test(id)) return null;
    if (least === null || isBefore(id, least)) least = id;
  }
  return least === "0-1" ? null : least;
}

function isBefore(a: string, b: string): boolean {
  const [aMs, aSeq] = partsOf(a);
  const [bMs, bSeq] = partsOf(b);
  return aMs === bMs ? aSeq < bSeq : aMs < bMs;
}

/** The id right after another; null for text that is not an id. */
function after(id: string): string | null {
  if (!ID.test(id)) return null;
  const [ms, seq] = partsOf(id);
  return `${ms}-${seq + 1n}`;
}

/** An id's two numbers, which may have 64 bits each. */
function partsOf(id: string): [bigint, bigint] {
  const [ms = "0", seq = "0"] = id.split("-");
  return [BigInt(ms), BigInt(seq)];
}
