/**
 * Deletes expired records. `Store.prune` calls it.
 *
 * @module
 */
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type { Remembering } from "../../../core/ports/inbox_memory.ts";
import type { Client } from "./client.ts";
import { LISTED, memberOf } from "./keys.ts";
import { bucketOf, memoryText } from "./memory.ts";
import { recordOf } from "./record_text.ts";
import { EXPIRED_SCRIPT, PRUNE_MEMORY_SCRIPT, PRUNE_SCRIPT, REMEMBER_SCRIPT } from "./scripts.ts";
import type { Keys } from "./writes.ts";

/** The Redis client. */
interface Pruned {
  readonly client: Client;
  readonly keys: Keys;
  /** The beginning of all keys. */
  readonly base: string;
}

/** The most records that one script deletes, so that it does not block others. */
const PRUNE_STEP = 1_000;
/** The most records that are read to make digests, and the most characters of their messages. */
const READ_STEP = 500;
const MAX_READ = 4 * 1024 * 1024;
/** The most buckets of digests that one call deletes. */
const PRUNE_MEMORY_STEP = 10;

/** See `Store.prune`. */
export async function prune(
  { client, keys, base }: Pruned,
  box: Box,
  nowMs: number,
  limit: number,
): Promise<number> {
  const { expiring, totals, all, pruned, list } = prunedKeys(keys, box);
  if (!await hasUpTo(client, expiring, String(nowMs))) return 0;
  let deleted = 0;
  for (let isMore = true; isMore && deleted < limit;) {
    const most = Math.min(limit - deleted, PRUNE_STEP);
    const [said] = await client.run(PRUNE_SCRIPT, [expiring, totals, all, pruned, ...list], [
      base,
      box,
      String(nowMs),
      String(most),
    ]);
    const [gone = 0, looked = 0] = String(said).slice(1).split(" ").map(Number);
    deleted += gone;
    isMore = looked === most;
  }
  return deleted;
}

/**
 * The same for the inbox, with digests. Expired records are read first, because the digests are computed
 * here, and then deleted if they did not change.
 */
export async function pruneRemembering(
  pruned: Pruned,
  nowMs: number,
  limit: number,
  remembering: Remembering,
): Promise<number> {
  const { client, keys, base } = pruned;
  const { expiring, memory } = keys.inbox;
  let deleted = 0;
  if (await hasUpTo(client, expiring, String(nowMs))) {
    for (let gone = 1; gone > 0 && deleted < limit;) {
      gone = await rememberSome(pruned, nowMs, Math.min(limit - deleted, READ_STEP), remembering);
      deleted += gone;
    }
  }
  const { sinceMs } = remembering;
  if (sinceMs === -Infinity || !await hasUpTo(client, memory, `(${sinceMs}`)) return deleted;
  await client.run(PRUNE_MEMORY_SCRIPT, [memory, keys.inbox.pruned], [
    base,
    String(sinceMs),
    String(PRUNE_MEMORY_STEP),
  ]);
  return deleted;
}

async function rememberSome(
  { client, keys, base }: Pruned,
  nowMs: number,
  limit: number,
  { sinceMs, entriesOf }: Remembering,
): Promise<number> {
  const { expiring, totals, all, memory, pruned, list } = prunedKeys(keys, "inbox");
  const now = String(nowMs);
  const answer = await client.run(EXPIRED_SCRIPT, [expiring], [
    base,
    now,
    String(limit),
    String(MAX_READ),
  ]);
  const fields: string[] = [];
  const records = [];
  for (let i = 0; i + 2 < answer.length; i += 3) {
    const [member, standing, message] = answer.slice(i, i + 3).map(String) as [
      string,
      string,
      string,
    ];
    // Without a standing there is no record, and without a message no digest.
    if (standing === "" || message === "") {
      fields.push(member, standing.split(" ")[7] ?? "", "-", "", "");
    } else records.push(recordOf("inbox", member, standing, message));
  }
  const kept = records.filter(({ createdAtMs }) => createdAtMs >= sinceMs);
  const entries = await entriesOf(kept);
  for (const record of records) {
    const entry = entries[kept.indexOf(record)];
    const bucket = bucketOf(record.createdAtMs, nowMs, sinceMs);
    const where = entry === undefined
      ? ["-", "", ""]
      : [bucket.name, bucket.ends, memoryText(entry)];
    fields.push(memberOf(record), String(record.createdAtMs), ...where);
  }
  if (fields.length === 0) return 0;
  const [said] = await client.run(
    REMEMBER_SCRIPT,
    [expiring, totals, all, memory, pruned, ...list],
    [base, now, ...fields],
  );
  return Number(String(said).slice(1));
}

/** Nearly always nothing has expired: then one command is enough. */
async function hasUpTo(client: Client, key: string, max: string): Promise<boolean> {
  return await client.plain((redis) => redis.zcount(key, "-inf", max)) > 0;
}

function prunedKeys(keys: Keys, box: Box) {
  const { expiring, totals, all, memory, pruned } = keys[box];
  const list = LISTED.map((state) => keys[box].list(state));
  return { expiring, totals, all, memory, pruned, list };
}
