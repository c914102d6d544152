/**
 * The scripts that list records and delete expired ones.
 *
 * @module
 */
import { RECORDS } from "./records.ts";

/**
 * Arguments: box, the set to read, states (joined by spaces) or `*`, the name as JSON or `*`, `=` and the group
 * or `*`, when the record before the page was added or `-`, its member, limit, the most characters.
 *
 * Answer: `*` when the set has no more, else `>` with when the last record looked at was added and its
 * member; then for each record its member, standing and message.
 */
export const LIST: string = `${RECORDS}${String.raw`
local box, key, states, name, group = ARGV[2], keyOf(ARGV[2], ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local afterAt, afterMember, limit, room = ARGV[7], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local PAGE, MOST = 100, 1000

-- Byte by byte: Lua compares by the server's locale.
local function isBefore(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local from, ties = 0, false
if afterAt ~= "-" then
  local rank = redis.call("ZREVRANK", key, afterMember)
  if rank then from = rank + 1
  else
    from, ties = redis.call("ZCOUNT", key, "(" .. afterAt, "+inf"), true
  end
end

local function isWanted(member, s)
  return (states == "*" or string.find(" " .. states .. " ", " " .. s.state .. " ", 1, true))
    and (group == "*" or group == "=" .. groupOf(member))
end

local answer, looked = { "*" }, 0
local lastMember, lastAt
repeat
  local page = redis.call("ZREVRANGE", key, from, from + PAGE - 1, "WITHSCORES")
  from = from + PAGE
  local members, keys = {}, {}
  for i = 1, #page, 2 do
    local isSeen = ties and tonumber(page[i + 1]) == tonumber(afterAt) and
      not isBefore(page[i], afterMember)
    if not isSeen then
      members[#members + 1] = { member = page[i], at = page[i + 1] }
      keys[#keys + 1] = standingKey(box, page[i])
    end
  end
  local standings, found, messageKeys = {}, {}, {}
  if #keys > 0 then standings = readAll(keys) end
  for i, each in ipairs(members) do
    each.standing = standings[i]
    local isKnown = standings[i] and isOurs(standings[i])
    if isKnown and isWanted(each.member, parse(standings[i])) then
      found[#found + 1] = each
      messageKeys[#found] = messageKey(box, each.member)
    end
  end
  local messages, next = {}, 1
  if #found > 0 then messages = readAll(messageKeys) end
  for _, each in ipairs(members) do
    if found[next] == each then
      local message = messages[next]
      next = next + 1
      if message and (name == "*" or string.match(message, "^[^\n]*\n([^\n]*)") == name) then
        room = room - #message
        if (#answer - 1) / 3 >= limit or (room < 0 and #answer > 1) then
          answer[1] = ">" .. lastAt .. " " .. lastMember
          return answer
        end
        answer[#answer + 1] = each.member
        answer[#answer + 1] = each.standing
        answer[#answer + 1] = message
      end
    end
    lastMember, lastAt = each.member, each.at
  end
  looked = looked + #page / 2
  if looked >= MOST and #page == 2 * PAGE and lastMember then
    answer[1] = ">" .. lastAt .. " " .. lastMember
    return answer
  end
until #page < 2 * PAGE
return answer
`}`;

/**
 * Arguments: box, now, limit. Answer: `*` and how many were deleted, a space, how many were looked at. In the
 * inbox it stores the latest arrival time of the deleted records.
 */
export const PRUNE: string = `${RECORDS}${String.raw`
local box, now, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
local key = keyOf(box, "expiring")
local members = redis.call("ZRANGEBYSCORE", key, "-inf", now, "LIMIT", 0, limit)
if #members == 0 then return { "*0 0" } end
local keys = { keyOf(box, "totals"), keyOf(box, "pruned") }
for i, member in ipairs(members) do keys[i + 2] = standingKey(box, member) end
local values = readAll(keys)
local totals, gone, deleted = parseTotals(values[1]), {}, 0
local pruned = prunedUntil(values[2], totals, now)
for i, member in ipairs(members) do
  local s = parse(values[i + 2])
  local place, at
  if s then place, at = placeOf(box, member, s) end
  if s and (place ~= key or tonumber(at) > tonumber(now)) then
    mend(key, box, member, s)
  else
    forget(box, key, member, s, totals, gone)
    if s then
      deleted = deleted + 1
      if tonumber(s.created) > tonumber(pruned) then pruned = s.created end
    end
  end
end
putAll()
inSlices("DEL", nil, gone)
local written = { keyOf(box, "totals"), totalsText(totals) }
if box == "inbox" and pruned ~= "-1" then
  written[3] = keyOf(box, "pruned")
  written[4] = pruned
end
redis.call("MSET", unpack(written))
dropAll()
return { "*" .. deleted .. " " .. #members }
`}`;
