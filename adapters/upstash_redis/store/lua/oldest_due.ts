/**
 * The script that finds the messages of the inbox that have been due the longest.
 *
 * @module
 */
import { QUEUES } from "./claim.ts";
import { RECORDS } from "./records.ts";

/**
 * Arguments: box, now, due since, how many records to look at in each group and among the claimed ones. Answer: for
 * each record its member, its due time, `c` or `w` for one that is claimed or waits, and `=` with its name as JSON.
 */
export const OLDEST_DUE: string = `${RECORDS}${QUEUES}${String.raw`
local MOST_READ = 4194304
local box, now, since, window = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local answer, keys, found, size = {}, {}, {}, 0

local function readNames()
  if #keys == 0 then return end
  local messages = readAll(keys)
  for i, each in ipairs(found) do
    local name = messages[i] and string.match(messages[i], "^[^\n]*\n([^\n]*)")
    if name then
      answer[#answer + 1] = each.member
      answer[#answer + 1] = each.due
      answer[#answer + 1] = each.kind
      answer[#answer + 1] = "=" .. name
    end
  end
  keys, found, size = {}, {}, 0
end

local function look(members, kind)
  local standings = {}
  for i, member in ipairs(members) do standings[i] = standingKey(box, member) end
  if #standings > 0 then standings = readAll(standings) end
  for i, member in ipairs(members) do
    local s = standings[i] and isOurs(standings[i]) and parse(standings[i])
    if s and s.state == "scheduled" and tonumber(s.due) <= tonumber(since) then
      -- A name is read together with its body, and there may be many.
      if size + tonumber(s.size) > MOST_READ then readNames() end
      keys[#keys + 1] = messageKey(box, member)
      found[#found + 1] = { member = member, due = s.due, kind = kind }
      size = size + tonumber(s.size)
    end
  end
end

for _, queue in ipairs(queuesOf(box, "ready", nil)) do
  look(redis.call("ZRANGEBYSCORE", queue.key, "-inf", since, "LIMIT", 0, window), "w")
end
local expired = keyOf(box, "expired")
look(redis.call("ZRANGEBYSCORE", expired, "(" .. now, "+inf", "LIMIT", 0, window), "c")
look(redis.call("ZRANGEBYSCORE", expired, "-inf", now, "LIMIT", 0, window), "w")
readNames()
return answer
`}`;
