/**
 * The scripts that claim records, renew leases, and find the next due time.
 *
 * @module
 */
import { RECORDS } from "./records.ts";

/** Lua source: which sets a claim reads, and which of their members. */
export const QUEUES: string = String.raw`
local PAGE = 200

-- The groups from an index on in the arguments, after a "="; nil for all of them.
local function wantedGroups(at)
  if ARGV[at] ~= "=" then return nil end
  local wanted = { list = {} }
  for i = at + 1, #ARGV do
    wanted[ARGV[i]] = true
    wanted.list[#wanted.list + 1] = ARGV[i]
  end
  return wanted
end

-- The sets of a kind of record. If a set has several groups, "filter" selects the requested ones.
local function queuesOf(box, kind, wanted)
  if kind ~= "ready" or box == "outbox" then return { { key = keyOf(box, kind), filter = wanted } } end
  local groups = wanted and wanted.list
  if not groups then
    groups = {}
    for i, word in ipairs(parseTotals(redis.call("GET", keyOf(box, "totals"))).groups) do
      groups[i] = string.sub(word, 2)
    end
  end
  local queues = {}
  for i, group in ipairs(groups) do queues[i] = { key = keyOf(box, "ready:" .. group) } end
  return queues
end

-- The first members of a set up to a score, as { member, score }.
local function firstOf(queue, untilScore, limit)
  local found, from = {}, 0
  local size = queue.filter and math.max(PAGE, limit) or limit
  repeat
    local page = redis.call("ZRANGEBYSCORE", queue.key, "-inf", untilScore, "WITHSCORES",
      "LIMIT", from, size)
    for i = 1, #page, 2 do
      if #found < limit and (not queue.filter or queue.filter[groupOf(page[i])]) then
        found[#found + 1] = { member = page[i], score = page[i + 1], key = queue.key }
      end
    end
    from = from + size
  until #found >= limit or #page < 2 * size
  return found
end
`;

/**
 * Arguments: box, kind, limit, now, lease, the most characters of messages, `=` and the one requested member
 * or `*`, then `*`, or `=` and groups. Answer: for each claimed record its member, standing and message.
 */
export const CLAIM: string = `${RECORDS}${QUEUES}${String.raw`
local box, kind, limit, now, lease = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local room = tonumber(ARGV[7])
local found, only, wanted = {}, string.match(ARGV[8], "^=(.*)$"), wantedGroups(9)
if only then
  if wanted and not wanted[groupOf(only)] then return {} end
  local queue = kind
  if kind == "ready" and box == "inbox" then queue = "ready:" .. groupOf(only) end
  found[1] = { member = only, key = keyOf(box, queue) }
else
  local queues = queuesOf(box, kind, wanted)
  for _, queue in ipairs(queues) do
    for _, each in ipairs(firstOf(queue, now, limit)) do found[#found + 1] = each end
  end
  if #queues > 1 then
    table.sort(found, function(a, b) return tonumber(a.score) < tonumber(b.score) end)
  end
end
if #found == 0 then return {} end

local keys, count = {}, math.min(limit, #found)
for i = 1, count do keys[i] = standingKey(box, found[i].member) end
local standings, chosen, messageKeys = readAll(keys), {}, {}
for i = 1, count do
  local member, isStrange = found[i].member, standings[i] and not isOurs(standings[i])
  local s = not isStrange and parse(standings[i])
  local key, at
  if s then key, at = placeOf(box, member, s) end
  if isStrange then
    -- A process that can read it will claim it.
  elseif key ~= found[i].key or tonumber(at) > tonumber(now) then
    if not only then mend(found[i].key, box, member, s) end
  else
    room = room - tonumber(s.size)
    if room < 0 and #chosen > 0 then break end
    chosen[#chosen + 1] = { member = member, before = s }
    messageKeys[#chosen] = messageKey(box, member)
  end
end

local messages = {}
if #chosen > 0 then messages = readAll(messageKeys) end
local answer, values = {}, {}
for i, each in ipairs(chosen) do
  if not messages[i] then
    -- It was deleted in between: there is nothing to claim.
    drop((placeOf(box, each.member, each.before)), each.member)
  else
    local after = copyOf(each.before)
    after.epoch = string.format("%.0f", tonumber(after.epoch) + 1)
    if kind == "expired" and after.lease ~= "-" then
      after.crashes = string.format("%.0f", tonumber(after.crashes) + 1)
    end
    after.lease = lease
    move(box, each.member, each.before, after)
    local text = textOf(after)
    values[#values + 1] = standingKey(box, each.member)
    values[#values + 1] = text
    answer[#answer + 1] = each.member
    answer[#answer + 1] = text
    answer[#answer + 1] = messages[i]
  end
end
putAll()
inSlices("MSET", nil, values)
dropAll()
return answer
`}`;

/** Arguments: box, lease, then member and epoch of each. Answer: `*` and a digit for each. */
export const RENEW: string = `${RECORDS}${String.raw`
local box, lease, keys = ARGV[2], ARGV[3], {}
for i = 4, #ARGV, 2 do keys[#keys + 1] = standingKey(box, ARGV[i]) end
local standings, bits, values = readAll(keys), {}, {}
for i, key in ipairs(keys) do
  local member, epoch, s = ARGV[2 + 2 * i], ARGV[3 + 2 * i], parse(standings[i])
  bits[i] = "0"
  if s and s.epoch == epoch and s.lease ~= "-" then
    local after = copyOf(s)
    after.lease = lease
    move(box, member, s, after)
    values[#values + 1] = key
    values[#values + 1] = textOf(after)
    bits[i] = "1"
  end
end
putAll()
inSlices("MSET", nil, values)
dropAll()
return { "*" .. table.concat(bits) }
`}`;

/** Arguments: box, state, then `*`, or `=` and groups. Answer: `*` and the earliest time, if any. */
export const DUE: string = `${RECORDS}${QUEUES}${String.raw`
local box, wanted, earliest = ARGV[2], wantedGroups(4), nil
local kinds = { "prepared" }
if ARGV[3] == "scheduled" then kinds = { "ready", "expired" } end
for _, kind in ipairs(kinds) do
  for _, queue in ipairs(queuesOf(box, kind, wanted)) do
    local first = firstOf(queue, "+inf", 1)[1]
    if first and (not earliest or tonumber(first.score) < tonumber(earliest)) then earliest = first.score end
  end
end
return { "*" .. (earliest or "") }
`}`;
