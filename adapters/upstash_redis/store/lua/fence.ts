/**
 * The script of a check-back: it reads the fence, and writes `aborted` if there is no outcome.
 *
 * @module
 */

/**
 * Keys: the row, the set of all rows. Arguments: the row's member, now. Answer: `*` and the outcome, which is
 * `aborted` from now on if there was none.
 */
export const CHECK_FENCE: string = String.raw`
local row = redis.call("GET", KEYS[1])
if not row then
  redis.call("ZADD", KEYS[2], ARGV[2], ARGV[1])
  row = "aborted -"
  redis.call("SET", KEYS[1], row)
end
return { "*" .. string.match(row, "^%S+") }
`;
