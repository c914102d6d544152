/**
 * The Lua source that the scripts share: reading and writing a record's standing, and updating the sorted
 * sets.
 *
 * The standing is authoritative; the sets are indexes. Each script reads and decides, then adds to sets,
 * writes standings, and removes from sets. If the server interrupts a script, a set has at most one member
 * too many. Every reader checks the standing of a member.
 *
 * The first argument of each script is the prefix of all keys. Times are whole milliseconds as text, which Lua
 * never rounds; "-" is none.
 *
 * @module
 */

import { ALONE_FROM_DEATH } from "../../../../core/lifecycle/claim_kind.ts";

/** Lua source. */
export const RECORDS: string = String.raw`
local base = ARGV[1]
local STATES = { "prepared", "scheduled", "succeeded", "failed", "cancelled", "in_doubt" }
local LISTED = { prepared = true, failed = true, cancelled = true, in_doubt = true }
local SLICE = 4000

local function keyOf(box, name) return base .. box .. ":" .. name end
local function standingKey(box, member) return base .. box .. ":s:" .. member end
local function messageKey(box, member) return base .. box .. ":m:" .. member end
local function groupOf(member) return string.match(member, "^[^:]*") end

-- Calls a command on as many arguments as there are, without a table too long for Lua's stack.
local function inSlices(command, key, list)
  for from = 1, #list, SLICE do
    local to = math.min(from + SLICE - 1, #list)
    if key then redis.call(command, key, unpack(list, from, to))
    else redis.call(command, unpack(list, from, to)) end
  end
end

local function readAll(keys)
  local values = {}
  for from = 1, #keys, SLICE do
    local part = redis.call("MGET", unpack(keys, from, math.min(from + SLICE - 1, #keys)))
    for i = 1, #part do values[from + i - 1] = part[i] end
  end
  return values
end

-- A later version may write standings of its own while this one still runs.
local function isOurs(text) return string.sub(text, 1, 3) == "s1 " end

local function parse(text)
  if not text then return nil end
  local s = {}
  s.state, s.epoch, s.lease, s.due, s.crashes, s.expires, s.created, s.size, s.settledBy, s.addedBy,
    s.patch, s.reply, s.retry, s.name = string.match(text,
    "^s1 (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)$")
  if not s.name then error("ATLAST a standing that this version did not write") end
  return s
end

local function textOf(s)
  return "s1 " .. table.concat({ s.state, s.epoch, s.lease, s.due, s.crashes, s.expires, s.created, s.size,
    s.settledBy, s.addedBy }, " ") .. "\n" .. s.patch .. "\n" .. s.reply .. "\n" .. s.retry .. "\n" .. s.name
end

local function copyOf(s)
  local copy = {}
  for name, value in pairs(s) do copy[name] = value end
  return copy
end

-- The set that indexes a record, and its score; nothing for a record that needs no work.
local function placeOf(box, member, s)
  if s.state == "scheduled" or s.state == "prepared" then
    local at = s.due
    if s.lease ~= "-" and tonumber(s.lease) > tonumber(at) then at = s.lease end
    if s.state == "prepared" then return keyOf(box, "prepared"), at end
    local deaths = tonumber(s.crashes) + (s.lease ~= "-" and 1 or 0)
    if deaths >= ${ALONE_FROM_DEATH} then return keyOf(box, "alone"), at end
    if box == "outbox" then return keyOf(box, "ready"), at end
    return keyOf(box, "ready:" .. groupOf(member)), at
  end
  if s.state ~= "in_doubt" and s.expires ~= "-" then return keyOf(box, "expiring"), s.expires end
  return nil
end

local puts, drops = {}, {}
local function put(key, score, member)
  local list = puts[key] or {}
  puts[key] = list
  list[#list + 1] = score
  list[#list + 1] = member
end
local function drop(key, member)
  local list = drops[key] or {}
  drops[key] = list
  list[#list + 1] = member
end

-- Moves a record between the sets; before is nil for one that is new.
local function move(box, member, before, after)
  local from = before and placeOf(box, member, before)
  local to, at = placeOf(box, member, after)
  if to then put(to, at, member) end
  if from and from ~= to then drop(from, member) end
  if not before then put(keyOf(box, "all"), after.created, member) end
  if before and before.state == after.state then return end
  if LISTED[after.state] then put(keyOf(box, "list:" .. after.state), after.created, member) end
  if before and LISTED[before.state] then drop(keyOf(box, "list:" .. before.state), member) end
end

local function putAll() for key, list in pairs(puts) do inSlices("ZADD", key, list) end end
local function dropAll() for key, list in pairs(drops) do inSlices("ZREM", key, list) end end

-- A member without a record is removed, and a member in the wrong set is moved.
local function mend(key, box, member, s)
  local to, at
  if s then to, at = placeOf(box, member, s) end
  if to then put(to, at, member) end
  if to ~= key then drop(key, member) end
end

-- Removes a record from all sets; its keys are added to gone.
local function forget(box, from, member, s, totals, gone)
  drop(from, member)
  drop(keyOf(box, "all"), member)
  gone[#gone + 1] = standingKey(box, member)
  gone[#gone + 1] = messageKey(box, member)
  if not s then return end
  if LISTED[s.state] then drop(keyOf(box, "list:" .. s.state), member) end
  totals[s.state] = totals[s.state] - 1
end

-- The mark is t1 if an older version created the store, which may have pruned records without digests.
local function parseTotals(text)
  local totals, words = { groups = {} }, {}
  for word in string.gmatch(text or "t2", "%S+") do words[#words + 1] = word end
  totals.mark = words[1]
  for i, state in ipairs(STATES) do totals[state] = tonumber(words[i + 1] or "0") end
  for i = 8, #words do totals.groups[i - 7] = words[i] end
  return totals
end

local function totalsText(totals)
  local words = { totals.mark }
  for _, state in ipairs(STATES) do words[#words + 1] = string.format("%.0f", totals[state]) end
  for _, group in ipairs(totals.groups) do words[#words + 1] = group end
  return table.concat(words, " ")
end

-- The arrival time of the latest pruned message; "-1" for none. An older version pruned only records that
-- were at least a day old.
local function prunedUntil(text, totals, now)
  if text then return text end
  if totals.mark == "t1" then return string.format("%.0f", tonumber(now) - 86400000) end
  return "-1"
end
`;
