/**
 * Removes a group that will not read again. An operator calls it through
 * `UpstashStreamTransport.removeGroup`.
 *
 * @module
 */
import { matchesName } from "../../../core/message/name.ts";
import type { StreamSettings } from "./options.ts";
import { type Command, listOf, runAll, runOne, valuesOf } from "./run.ts";
import { patternMember, patternsKey, readPatterns } from "./streams.ts";
import { namesKey, requeuedKey, streamKey } from "./keys.ts";

/** Deletes a stream that no group reads, and checks that in the same step, because a group may just have begun. */
const DELETE_UNREAD = `
if redis.call('EXISTS', KEYS[1]) == 0 or #redis.call('XINFO', 'GROUPS', KEYS[1]) > 0 then return 0 end
redis.call('SREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])`;

/** See `UpstashStreamTransport.removeGroup`. */
export async function removeGroup(settings: StreamSettings, group: string): Promise<void> {
  const { redis, keys } = settings;
  const patterns = await readPatterns(settings);
  const [own, others] = [true, false].map((isOwn) =>
    patterns.filter((each) => (each.group === group) === isOwn)
  ) as [typeof patterns, typeof patterns];
  if (own.length > 0) {
    await runOne(redis, ["SREM", patternsKey(keys), ...own.map(patternMember)]);
  }
  const names = listOf(await runOne(redis, ["SMEMBERS", namesKey(keys)])).map(String);
  const results = await runAll(
    redis,
    "XGROUP DESTROY",
    names.map((name): Command => (pipeline) =>
      pipeline.xgroup(streamKey(keys, name), { type: "DESTROY", group })
    ),
  );
  valuesOf("XGROUP DESTROY", results.filter(({ error }) => !error?.includes("requires the key")));
  for (const [i, name] of names.entries()) {
    const hadIt = Number(results[i]?.result) === 1;
    // A group that takes it by a pattern may not have found it yet.
    if (!hadIt || others.some(({ pattern }) => matchesName(pattern, name))) continue;
    await runOne(redis, ["EVAL", DELETE_UNREAD, 2, streamKey(keys, name), namesKey(keys), name]);
  }
  await runOne(redis, ["DEL", requeuedKey(keys, group), keys("parked", group)]);
}
