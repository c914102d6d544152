/**
 * The scripts for the digests that the inbox keeps of messages whose records were pruned.
 *
 * Messages that arrived at about the same time share a hash, a bucket, which maps the digest of the key to the
 * other digests. A sorted set orders the buckets by the latest arrival in each. So a whole bucket is pruned
 * at once, and a lookup reads few buckets.
 *
 * @module
 */
import { RECORDS } from "./records.ts";
import { ADDITION_FIELDS, WRITING } from "./write.ts";

/** How many arguments a digest has in {@linkcode REMEMBER}. */
const MEMORY_CODES = 5;

/**
 * Arguments: now, limit, the most characters of messages. Answer: the member, standing and message of each
 * expired record.
 */
export const EXPIRED: string = `${RECORDS}${String.raw`
local now, limit, room = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local members = redis.call("ZRANGEBYSCORE", keyOf("inbox", "expiring"), "-inf", now, "LIMIT", 0, limit)
if #members == 0 then return {} end
local keys = {}
for i, member in ipairs(members) do keys[i] = standingKey("inbox", member) end
local standings, wanted = readAll(keys), {}
for i, member in ipairs(members) do
  local s = parse(standings[i])
  if s then room = room - tonumber(s.size) end
  if room < 0 and i > 1 then break end
  wanted[i] = messageKey("inbox", member)
end
local messages, answer = readAll(wanted), {}
for i = 1, #wanted do
  answer[#answer + 1] = members[i]
  answer[#answer + 1] = standings[i] or ""
  answer[#answer + 1] = messages[i] or ""
end
return answer
`}`;

/**
 * Arguments: now, then of each record its member, when it was added, its bucket or "-" for none, when the
 * bucket ends, its digests. A record is deleted only if it is still the one that was read, and still expired.
 * Answer: `*` and how many were deleted.
 */
export const REMEMBER: string = `${RECORDS}${String.raw`
local now, key = ARGV[2], keyOf("inbox", "expiring")
local keys = { keyOf("inbox", "totals"), keyOf("inbox", "pruned") }
for i = 3, #ARGV, ${MEMORY_CODES} do keys[#keys + 1] = standingKey("inbox", ARGV[i]) end
local values = readAll(keys)
local totals, gone, deleted, buckets = parseTotals(values[1]), {}, 0, {}
local pruned = prunedUntil(values[2], totals, now)
for i = 3, #keys do
  local at = 3 + (i - 3) * ${MEMORY_CODES}
  local member, created, bucket, ends, memory = unpack(ARGV, at, at + ${MEMORY_CODES - 1})
  local s = parse(values[i])
  local place, due
  if s then place, due = placeOf("inbox", member, s) end
  if not s then
    forget("inbox", key, member, nil, totals, gone)
  elseif place ~= key or tonumber(due) > tonumber(now) then
    mend(key, "inbox", member, s)
  elseif s.created == created then
    forget("inbox", key, member, s, totals, gone)
    deleted = deleted + 1
    if bucket ~= "-" then
      buckets[bucket] = buckets[bucket] or { ends = ends, fields = {} }
      local fields = buckets[bucket].fields
      fields[#fields + 1] = string.sub(memory, 1, 22)
      fields[#fields + 1] = string.sub(memory, 23)
    elseif tonumber(created) > tonumber(pruned) then pruned = created end
  end
end
for bucket, each in pairs(buckets) do
  put(keyOf("inbox", "memory"), each.ends, bucket)
  inSlices("HSET", keyOf("inbox", "memory:" .. bucket), each.fields)
end
putAll()
inSlices("DEL", nil, gone)
local written = { keyOf("inbox", "totals"), totalsText(totals) }
if pruned ~= "-1" then
  written[3] = keyOf("inbox", "pruned")
  written[4] = pruned
end
redis.call("MSET", unpack(written))
dropAll()
return { "*" .. deleted }
`}`;

/** Arguments: before which time, limit. Answer: `*` and how many buckets were deleted. */
export const PRUNE_MEMORY: string = `${RECORDS}${String.raw`
local key, pruned = keyOf("inbox", "memory"), nil
local buckets = redis.call("ZRANGEBYSCORE", key, "-inf", "(" .. ARGV[2], "WITHSCORES", "LIMIT", 0, ARGV[3])
if #buckets == 0 then return { "*0" } end
local keys, names = {}, {}
for i = 1, #buckets, 2 do
  names[#names + 1] = buckets[i]
  keys[#keys + 1] = keyOf("inbox", "memory:" .. buckets[i])
  pruned = buckets[i + 1]
end
local known = redis.call("GET", keyOf("inbox", "pruned"))
if not known or tonumber(known) < tonumber(pruned) then
  redis.call("SET", keyOf("inbox", "pruned"), string.format("%.0f", tonumber(pruned)))
end
redis.call("UNLINK", unpack(keys))
redis.call("ZREM", key, unpack(names))
return { "*" .. #names }
`}`;

/**
 * Arguments: how many additions there are, now, of each the digest of its key and the time since which no
 * message may have been pruned or "-", then the arguments of `plan`. Answer: for each addition `?` and its
 * digests, or `!` if it may have been pruned, or "-"; then the answer of `plan` for the remaining ones.
 */
export const ADD_UNLESS_KNOWN: string = `${WRITING}${String.raw`
local count, now, args = tonumber(ARGV[2]), ARGV[3], {}
local first = 4 + 2 * count
local keys, fields = { keyOf("inbox", "pruned"), keyOf("inbox", "totals") }, {}
for i = 1, count do
  fields[i] = ARGV[2 + 2 * i]
  keys[i + 2] = standingKey("inbox", ARGV[first + 2 + (i - 1) * ${ADDITION_FIELDS} + 1])
end
local values = readAll(keys)
local pruned, known = prunedUntil(values[1], parseTotals(values[2]), now), {}
for _, bucket in ipairs(redis.call("ZRANGE", keyOf("inbox", "memory"), 0, -1)) do
  local found = redis.call("HMGET", keyOf("inbox", "memory:" .. bucket), unpack(fields))
  for i = 1, count do known[i] = found[i] or known[i] end
end
local answer = {}
args[1], args[2] = ARGV[first], ARGV[first + 1]
for i = 1, count do
  local since = ARGV[3 + 2 * i]
  if values[i + 2] then answer[i] = "-"
  elseif known[i] then answer[i] = "?" .. known[i]
  elseif since ~= "-" and tonumber(pruned) > tonumber(since) then answer[i] = "!"
  else answer[i] = "-" end
  if answer[i] == "-" then
    for j = 0, ${ADDITION_FIELDS - 1} do
      args[#args + 1] = ARGV[first + 2 + (i - 1) * ${ADDITION_FIELDS} + j]
    end
  end
end
for _, word in ipairs((plan(args, 1))) do answer[#answer + 1] = word end
-- Written once, because the time of a day ago would otherwise move with the clock.
if not values[1] and pruned ~= "-1" then redis.call("SET", keyOf("inbox", "pruned"), pruned) end
write()
return answer
`}`;

/**
 * Arguments: now, then the digests of keys. Answer: `*` and the arrival time of the latest pruned message, `-1` for
 * none; `*` and how many buckets there are; then of each key `?` and its digests, or "-".
 */
export const RECALL: string = `${RECORDS}${String.raw`
local now, fields, known = ARGV[2], {}, {}
for i = 3, #ARGV do fields[i - 2] = ARGV[i] end
local values = readAll({ keyOf("inbox", "pruned"), keyOf("inbox", "totals") })
local pruned = prunedUntil(values[1], parseTotals(values[2]), now)
local buckets = redis.call("ZRANGE", keyOf("inbox", "memory"), 0, -1)
for _, bucket in ipairs(#fields > 0 and buckets or {}) do
  local found = redis.call("HMGET", keyOf("inbox", "memory:" .. bucket), unpack(fields))
  for i = 1, #fields do known[i] = found[i] or known[i] end
end
local answer = { "*" .. pruned, "*" .. #buckets }
for i = 1, #fields do answer[i + 2] = known[i] and "?" .. known[i] or "-" end
return answer
`}`;
