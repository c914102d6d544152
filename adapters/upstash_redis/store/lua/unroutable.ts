/**
 * The scripts for records that wait for a route or a subscriber. They find them among the first due records.
 *
 * @module
 */
import { UNROUTABLE_WINDOW } from "../../../../core/lifecycle/unroutable.ts";
import { QUEUES } from "./claim.ts";
import { RECORDS } from "./records.ts";

/** A quote in the text of another detail is escaped by a backslash, so no other text matches. */
const SINCE = String.raw`
local WINDOW = ${UNROUTABLE_WINDOW}

local function waitsSince(s) return tonumber(string.match(s.patch, '"unroutableSinceMs":(%d+)')) end

local function sinceOf(text)
  local s = text and isOurs(text) and parse(text)
  return s and waitsSince(s), s
end

-- The second value of a patch is the deadline.
local function deadlineOf(s)
  return tonumber(string.match(s.patch, "^%[[^,]*,(%d+)")) or math.huge
end
`;

/**
 * Arguments: box, now, how long records wait in all, then `*`, or `=` and groups. Answer: `*` and the
 * earliest time, if any. For a record that waits for a route it is the end of that wait.
 */
export const DUE_AT_THE_LATEST: string = `${RECORDS}${QUEUES}${SINCE}${String.raw`
local box, now, waits, wanted = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), wantedGroups(5)
local earliest
local function take(at) if not earliest or at < earliest then earliest = at end end

local function look(queue)
  local from = 0
  repeat
    local page = redis.call("ZRANGE", queue.key, from, from + PAGE - 1, "WITHSCORES")
    local keys, standings = {}, {}
    for i = 1, #page, 2 do keys[#keys + 1] = standingKey(box, page[i]) end
    if #keys > 0 then standings = readAll(keys) end
    for i = 1, #page, 2 do
      local at, since, s = tonumber(page[i + 1]), sinceOf(standings[(i + 1) / 2])
      local share, isWanted = shareOf(queue, page[i])
      if isWanted and (not share or not s or isTaken(share.names, s.name)) then
        -- All other records are due later than the first one that does not wait.
        if not since or s.lease ~= "-" or at <= now then return take(at) end
        take(math.max(at, math.min(since + waits, deadlineOf(s))))
      end
    end
    from = from + PAGE
    if from >= WINDOW and #page > 0 then return take(tonumber(page[#page])) end
  until #page < 2 * PAGE
end

for _, kind in ipairs({ "ready", "alone" }) do
  for _, queue in ipairs(queuesOf(box, kind, wanted)) do look(queue) end
end
return { "*" .. (earliest and string.format("%.0f", earliest) or "") }
`}`;

/**
 * Arguments: box, now, until, then `*`, or `=` and groups. Answer: for each record that waits and is due within that
 * time its member, and `=` with its name as JSON.
 */
export const WAITING: string = `${RECORDS}${QUEUES}${SINCE}${String.raw`
local box, now, untilAt, wanted, answer = ARGV[2], ARGV[3], ARGV[4], wantedGroups(5), {}

local function look(queue)
  local found = redis.call("ZRANGEBYSCORE", queue.key, "(" .. now, untilAt, "LIMIT", 0, WINDOW)
  local places, standings = {}, {}
  for i, member in ipairs(found) do places[i] = standingKey(box, member) end
  if #places > 0 then standings = readAll(places) end
  for i, member in ipairs(found) do
    local since, s = sinceOf(standings[i])
    local _, isWanted = shareOf(queue, member)
    if since and s.lease == "-" and isWanted then
      answer[#answer + 1] = member
      answer[#answer + 1] = "=" .. s.name
    end
  end
end

for _, kind in ipairs({ "ready", "alone" }) do
  for _, queue in ipairs(queuesOf(box, kind, wanted)) do look(queue) end
end
return answer
`}`;

/**
 * Arguments: box, now, then `*`, or `=` and groups. Answer: for each group and name of due records that nobody takes
 * the group, the name as JSON, how many, and since when, each after a `=`.
 */
export const UNTAKEN: string = `${RECORDS}${QUEUES}${SINCE}${String.raw`
local box, now, wanted, answer = ARGV[2], ARGV[3], wantedGroups(4), {}
local found, order = {}, {}

local function entryOf(group, name)
  local key = group .. " " .. name
  if not found[key] then
    found[key] = { group = group, name = name, count = 0, since = math.huge }
    order[#order + 1] = found[key]
  end
  return found[key]
end

local function look(queue, from, to)
  for _, each in ipairs(standingsIn(box, queue.key, from, to, WINDOW)) do
    local s, _, isWanted = each.s, shareOf(queue, each.member)
    if isWanted and s.state == "scheduled" and tonumber(s.due) <= tonumber(now) then
      local entry = entryOf(groupOf(each.member), s.name)
      entry.count = entry.count + 1
      entry.since = math.min(entry.since, waitsSince(s) or tonumber(s.due))
      if s.lease ~= "-" and tonumber(s.lease) > tonumber(now) then entry.isTaken = true end
    end
  end
end

for _, kind in ipairs({ "ready", "alone" }) do
  for _, queue in ipairs(queuesOf(box, kind, wanted)) do
    look(queue, "-inf", now)
    -- A record with a lease has the end of the lease as its score.
    look(queue, "(" .. now, "+inf")
  end
end
for _, entry in ipairs(order) do
  if not entry.isTaken then
    answer[#answer + 1] = "=" .. entry.group
    answer[#answer + 1] = "=" .. entry.name
    answer[#answer + 1] = "=" .. entry.count
    answer[#answer + 1] = "=" .. string.format("%.0f", entry.since)
  end
end
return answer
`}`;

/** Arguments: box, now, then members. Answer: `*` and how many of them were made due. */
export const MAKE_DUE: string = `${RECORDS}${SINCE}${String.raw`
local box, now, keys, values = ARGV[2], ARGV[3], {}, {}
for i = 4, #ARGV do keys[#keys + 1] = standingKey(box, ARGV[i]) end
local standings = readAll(keys)
for i, key in ipairs(keys) do
  local since, s = sinceOf(standings[i])
  if since and s.state == "scheduled" and s.lease == "-" and tonumber(s.due) > tonumber(now) then
    local after = copyOf(s)
    after.due = now
    move(box, ARGV[3 + i], s, after)
    values[#values + 1] = key
    values[#values + 1] = textOf(after)
  end
end
putAll()
inSlices("MSET", nil, values)
dropAll()
return { "*" .. #values / 2 }
`}`;
