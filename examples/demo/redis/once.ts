/**
 * Makes the writes of a handler happen once for a message, on a store without transactions. The handler may
 * run again for the same message if its process died, or its lease expired, after its writes and before the
 * message was settled. So one script does the writes and records that they are done.
 *
 * @module
 */
import type { Redis } from "@upstash/redis";

/** Writes as a script. It checks before it writes: what it wrote stays when it fails later. */
export interface Writes {
  /** The body of a Lua function of `KEYS` and `ARGV`, which returns text. */
  readonly script: string;
  /** Its keys. */
  readonly keys: readonly string[];
  /** Its arguments. */
  readonly args: readonly (string | number)[];
}

/** How long the record is kept: longer than a message can be redelivered. */
const REMEMBERED_S = 24 * 60 * 60;

/** Runs the writes of a message's handler, or returns what they returned when they ran for it before. */
export async function once(redis: Redis, messageId: string, writes: Writes): Promise<string> {
  const { script, keys, args } = writes;
  const result = await redis.eval<(string | number)[], string | null>(
    `local done = redis.call("GET", KEYS[1])
     if done then return done end
     local result = (function(KEYS, ARGV)
       ${script}
     end)({ unpack(KEYS, 2) }, ARGV)
     redis.call("SET", KEYS[1], result or "done", "EX", ${REMEMBERED_S})
     return result or "done"`,
    [`handled:${messageId}`, ...keys],
    [...args],
  );
  return String(result);
}
