/**
 * The script that settles and adds: every change of a standing except claims.
 *
 * A call that is repeated because its first answer was lost finds its own token in the records, and answers
 * as the first time.
 *
 * @module
 */
import { RECORDS } from "./records.ts";

/** How many arguments a settlement has. */
const SETTLEMENT_FIELDS = 12;

/** How many arguments an addition has. */
export const ADDITION_FIELDS = 5;

/**
 * Lua source: `plan(args, at)` reads and decides, and returns the answer; `write()` applies it.
 *
 * Arguments: how to add, how many settlements, the settlements, the additions.
 *
 * - `each` adds records whose keys are free; `all` adds all or none; `same` requires that a taken key has the
 *   same message, and makes `plan` return the member of one that has not.
 * - A settlement: box, member, epoch, whether claimed (`y`, `n`, or `e` for either), from which state; the new
 *   state, due time, crashes and expiry, the rest of the patch, the reply (`=` keeps it, else `+` and a line),
 *   its token.
 * - An addition: box, member, the index of its settlement or 0, its standing, its message.
 *
 * Answer: `*` and a digit for each settlement, then for each addition `+` when it was added, `-` when it was
 * not, or `=` with the standing and the message of its key.
 */
export const WRITING: string = `${RECORDS}${String.raw`
local tracked, order, totalsOf, boxes = {}, {}, {}, {}
-- Whether this call finds its own write, because it is sent a second time.
local isAgain = false

local function track(box, member)
  local key = standingKey(box, member)
  if not tracked[key] then
    tracked[key] = { key = key, box = box, member = member }
    order[#order + 1] = tracked[key]
    if totalsOf[box] == nil then
      totalsOf[box] = false
      boxes[#boxes + 1] = box
    end
  end
  return tracked[key]
end

local function readTracked()
  local keys = {}
  for i, box in ipairs(boxes) do keys[i] = keyOf(box, "totals") end
  for i, record in ipairs(order) do keys[#boxes + i] = record.key end
  if #keys == 0 then return end
  local values = readAll(keys)
  for i, box in ipairs(boxes) do totalsOf[box] = parseTotals(values[i]) end
  for i, record in ipairs(order) do
    record.before = parse(values[#boxes + i])
    record.now = record.before
  end
end

local function settle(record, args, at)
  local s, token = record.now, args[at + 11]
  if not s then return "0" end
  if s.settledBy == token then return "1" end
  local epoch, claimed, from = args[at + 2], args[at + 3], args[at + 4]
  if s.epoch ~= epoch or s.state ~= from then return "0" end
  if claimed ~= "e" and (claimed == "y") ~= (s.lease ~= "-") then return "0" end
  local after = copyOf(s)
  after.state, after.due, after.crashes = args[at + 5], args[at + 6], args[at + 7]
  after.expires, after.patch, after.settledBy = args[at + 8], args[at + 9], token
  after.lease = "-"
  if args[at + 10] ~= "=" then after.reply = string.sub(args[at + 10], 2) end
  record.now = after
  return "1"
end

local function messageOf(record)
  if not record.message then record.message = redis.call("GET", messageKey(record.box, record.member)) end
  return record.message or ""
end

-- The same message has the same name and body; the sending time may differ.
local function isSame(a, b)
  local pattern = "^(m1 [^\n]*\n[^\n]*\n)[^\n]*\n(.*)$"
  local headA, bodyA = string.match(a, pattern)
  local headB, bodyB = string.match(b, pattern)
  return headA == headB and bodyA == bodyB
end

local function plan(args, at)
  local mode, settlements = args[at], tonumber(args[at + 1])
  local first = at + 2 + settlements * ${SETTLEMENT_FIELDS}
  for i = at + 2, first - 1, ${SETTLEMENT_FIELDS} do track(args[i], args[i + 1]) end
  for i = first, #args, ${ADDITION_FIELDS} do track(args[i], args[i + 1]) end
  readTracked()
  local bits, answer, added, taken = {}, {}, {}, {}
  for i = at + 2, first - 1, ${SETTLEMENT_FIELDS} do
    bits[#bits + 1] = settle(track(args[i], args[i + 1]), args, i)
  end
  answer[1] = "*" .. table.concat(bits)
  for i = first, #args, ${ADDITION_FIELDS} do
    local record = track(args[i], args[i + 1])
    local with, standing = tonumber(args[i + 2]), args[i + 3]
    if with > 0 and bits[with] == "0" then
      answer[#answer + 1] = "-"
    elseif not record.now then
      record.now, record.message, record.isNew = parse(standing), args[i + 4], true
      answer[#answer + 1] = "+"
      added[#added + 1] = { record = record, at = #answer }
    elseif record.now.addedBy == parse(standing).addedBy then
      isAgain = true
      answer[#answer + 1] = "+"
    elseif mode == "same" then
      if not isSame(messageOf(record), args[i + 4]) then return answer, record.member end
      answer[#answer + 1] = "+"
    else
      answer[#answer + 1] = "="
      answer[#answer + 1] = textOf(record.now)
      taken[#taken + 1] = { record = record, at = #answer + 1 }
      answer[#answer + 1] = ""
    end
  end
  local keys = {}
  for i, each in ipairs(taken) do keys[i] = messageKey(each.record.box, each.record.member) end
  if #keys > 0 then
    local messages = readAll(keys)
    for i, each in ipairs(taken) do answer[each.at] = each.record.message or messages[i] or "" end
  end
  if mode == "all" and #taken > 0 then
    for _, each in ipairs(added) do
      each.record.now = nil
      answer[each.at] = "-"
    end
  end
  return answer
end

local function knowGroup(totals, group)
  local word = "=" .. group
  for _, known in ipairs(totals.groups) do if known == word then return end end
  totals.groups[#totals.groups + 1] = word
end

local function write()
  local values, changed = {}, {}
  for _, record in ipairs(order) do
    local before, now = record.before, record.now
    if now and now ~= before then
      move(record.box, record.member, before, now)
      local totals = totalsOf[record.box]
      if before then totals[before.state] = totals[before.state] - 1 end
      totals[now.state] = totals[now.state] + 1
      if not before and record.box == "inbox" then knowGroup(totals, groupOf(record.member)) end
      if not before or before.state ~= now.state then changed[record.box] = true end
      values[#values + 1] = record.key
      values[#values + 1] = textOf(now)
      if record.isNew then
        values[#values + 1] = messageKey(record.box, record.member)
        values[#values + 1] = record.message
      end
    end
  end
  if #values == 0 then return end
  for box in pairs(changed) do
    values[#values + 1] = keyOf(box, "totals")
    values[#values + 1] = totalsText(totalsOf[box])
  end
  putAll()
  inSlices("MSET", nil, values)
  dropAll()
end
`}`;

/** Lua source of the complete script. */
export const WRITE: string = `${WRITING}
local answer = plan(ARGV, 2)
write()
return answer
`;
