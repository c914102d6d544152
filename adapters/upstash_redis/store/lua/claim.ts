/**
 * The scripts that claim records, renew leases, and find the next due time.
 *
 * @module
 */
import { RECORDS } from "./records.ts";

/** Lua source: which sets a claim reads, and which of their members. */
export const QUEUES: string = String.raw`
local PAGE = 200

-- Names and patterns, with spaces between them, or after a "!" names that are left out; nil for all names.
local function namesOf(text)
  if text == "*" then return nil end
  local names = { exact = {}, patterns = {}, isExcept = string.sub(text, 1, 1) == "!" }
  for name in string.gmatch(text, "[^%s!]+") do
    local tokens = {}
    for token in string.gmatch(name, "[^.]+") do tokens[#tokens + 1] = token end
    names.exact['"' .. name .. '"'] = true
    if string.find(name, "[*#]") then names.patterns[#names.patterns + 1] = tokens end
  end
  return names
end

-- Whether tokens from an index on match those of a pattern, by the set of reached positions of the pattern.
local function matches(pattern, tokens)
  local function past(reached)
    for i, token in ipairs(pattern) do
      if reached[i] and token == "#" then reached[i + 1] = true end
    end
    return reached
  end
  local reached = past({ true })
  for _, token in ipairs(tokens) do
    local after = {}
    for i, wanted in ipairs(pattern) do
      if reached[i] and wanted == "#" then after[i] = true
      elseif reached[i] and (wanted == "*" or wanted == token) then after[i + 1] = true end
    end
    reached = past(after)
  end
  return reached[#pattern + 1]
end

-- Whether names have the name of a standing, which is JSON.
local function isTaken(names, json)
  if not names then return true end
  if names.isExcept then return not names.exact[json] end
  if names.exact[json] then return true end
  if #names.patterns == 0 then return false end
  local tokens = {}
  for token in string.gmatch(string.sub(json, 2, -2), "[^.]+") do tokens[#tokens + 1] = token end
  for _, pattern in ipairs(names.patterns) do if matches(pattern, tokens) then return true end end
  return false
end

-- The groups from an index on in the arguments, after a "=", each with its limit and its names; nil for all of them.
local function wantedGroups(at)
  if ARGV[at] ~= "=" then return nil end
  local wanted = { of = {}, list = {} }
  for i = at + 1, #ARGV, 3 do
    local share = { group = ARGV[i], most = tonumber(ARGV[i + 1]), names = namesOf(ARGV[i + 2]) }
    wanted.of[share.group] = share
    wanted.list[#wanted.list + 1] = share
  end
  return wanted
end

-- The sets of a kind of record. If a set has several groups, "filter" selects the requested ones; "share" is the one
-- of a set of one group.
local function queuesOf(box, kind, wanted)
  if kind ~= "ready" or box == "outbox" then
    return { { key = keyOf(box, kind), filter = wanted and wanted.of } }
  end
  local queues = {}
  if wanted then
    for i, share in ipairs(wanted.list) do
      queues[i] = { key = keyOf(box, "ready:" .. share.group), share = share }
    end
  else
    for i, word in ipairs(parseTotals(redis.call("GET", keyOf(box, "totals"))).groups) do
      queues[i] = { key = keyOf(box, "ready:" .. string.sub(word, 2)) }
    end
  end
  return queues
end

-- At most "window" members of a set between two scores, each with its standing, if this version can read it.
local function standingsIn(box, key, from, to, window)
  local members, keys, found, texts = redis.call("ZRANGEBYSCORE", key, from, to, "LIMIT", 0, window), {}, {}, {}
  for i, member in ipairs(members) do keys[i] = standingKey(box, member) end
  if #keys > 0 then texts = readAll(keys) end
  for i, member in ipairs(members) do
    local s = texts[i] and isOurs(texts[i]) and parse(texts[i])
    if s then found[#found + 1] = { member = member, s = s } end
  end
  return found
end

-- The share that a member of a set belongs to, and whether it is of a requested group.
local function shareOf(queue, member)
  if not queue.filter then return queue.share, true end
  local share = queue.filter[groupOf(member)]
  return share, share ~= nil
end

-- The first records of several sets up to a score: of each set at most "most" that are of the requested groups and
-- names, and that "look" accepts. Standings are read for those that need them, of all sets together.
local function firstOf(box, queues, untilScore, most, look)
  local found, open = {}, queues
  for _, queue in ipairs(queues) do
    queue.from, queue.most = 0, queue.share and queue.share.most or most
    queue.counts = queue.filter or { queue.share or queue }
    for _, count in pairs(queue.counts) do count.taken = 0 end
  end
  local function isFull(queue)
    for _, count in pairs(queue.counts) do if count.taken < count.most then return false end end
    return true
  end
  while #open > 0 do
    local rows, keys, standings, more = {}, {}, {}, {}
    for _, queue in ipairs(open) do
      local size = queue.most
      if queue.from > 0 or queue.filter then size = math.max(PAGE, size) end
      local page = redis.call("ZRANGEBYSCORE", queue.key, "-inf", untilScore, "WITHSCORES",
        "LIMIT", queue.from, size)
      queue.from = queue.from + size
      queue.isRead = #page < 2 * size
      for i = 1, #page, 2 do
        local share, isWanted = shareOf(queue, page[i])
        if isWanted then
          local names = share and share.names
          local row = { member = page[i], score = page[i + 1], queue = queue, names = names,
            count = share or queue }
          rows[#rows + 1] = row
          if look or names then
            keys[#keys + 1] = standingKey(box, page[i])
            row.at = #keys
          end
        end
      end
    end
    if #keys > 0 then standings = readAll(keys) end
    for _, row in ipairs(rows) do
      local text = row.at and standings[row.at]
      if row.count.taken < row.count.most then
        local isStrange = text and not isOurs(text)
        row.before = not isStrange and text and parse(text) or nil
        local isNamed = not row.names or (row.before and isTaken(row.names, row.before.name))
        -- A process that can read a strange standing will claim it.
        if not isStrange and (isNamed or not row.before) and (not look or look(row)) then
          row.count.taken = row.count.taken + 1
          found[#found + 1] = row
        end
      end
    end
    for _, queue in ipairs(open) do
      if not queue.isRead and not isFull(queue) then more[#more + 1] = queue end
    end
    open = more
  end
  return found
end
`;

/**
 * Arguments: box, kind, limit, now, lease, the most characters of messages, `=` and the one requested member
 * or `*`, then `*`, or `=` and of each group its name, its limit and its names. Answer: for each claimed record its
 * member, standing and message.
 */
export const CLAIM: string = `${RECORDS}${QUEUES}${String.raw`
local box, kind, limit, now, lease = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local room = tonumber(ARGV[7])
local only, wanted = string.match(ARGV[8], "^=(.*)$"), wantedGroups(9)

-- A record that its set has in the wrong place is moved there.
local function look(row)
  local key, at
  if row.before then key, at = placeOf(box, row.member, row.before) end
  if key == row.queue.key and tonumber(at) <= tonumber(now) then return true end
  if not only then mend(row.queue.key, box, row.member, row.before) end
  return false
end

local found = {}
if only then
  local share = wanted and wanted.of[groupOf(only)]
  if wanted and not share then return {} end
  local queue = { key = keyOf(box, kind) }
  if kind == "ready" and box == "inbox" then queue.key = keyOf(box, "ready:" .. groupOf(only)) end
  local text = redis.call("GET", standingKey(box, only))
  local row = { member = only, queue = queue, before = text and isOurs(text) and parse(text) or nil }
  local isNamed = row.before and isTaken(share and share.names, row.before.name)
  if isNamed and look(row) then found[1] = row end
else
  local queues = queuesOf(box, kind, wanted)
  found = firstOf(box, queues, now, limit, look)
  if #queues > 1 then
    table.sort(found, function(a, b) return tonumber(a.score) < tonumber(b.score) end)
  end
end

local count, chosen, messageKeys = #found, {}, {}
if kind ~= "ready" or not wanted then count = math.min(limit, count) end
for i = 1, count do
  local row = found[i]
  room = room - tonumber(row.before.size)
  if room < 0 and #chosen > 0 then break end
  chosen[#chosen + 1] = row
  messageKeys[#chosen] = messageKey(box, row.member)
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
    if kind ~= "prepared" and after.lease ~= "-" then
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

/**
 * Arguments: box, state, then `*`, or `=` and groups as a claim has them. Answer: `*` and the earliest time, if any.
 */
export const DUE: string = `${RECORDS}${QUEUES}${String.raw`
local box, wanted, earliest = ARGV[2], wantedGroups(4), nil
local kinds = { "prepared" }
if ARGV[3] == "scheduled" then kinds = { "ready", "alone" } end
for _, share in ipairs(wanted and wanted.list or {}) do share.most = 1 end
for _, kind in ipairs(kinds) do
  for _, row in ipairs(firstOf(box, queuesOf(box, kind, wanted), "+inf", 1, nil)) do
    if not earliest or tonumber(row.score) < tonumber(earliest) then earliest = row.score end
  end
end
return { "*" .. (earliest or "") }
`}`;
