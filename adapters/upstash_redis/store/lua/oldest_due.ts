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
local box, now, since, window, answer = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), {}

local function look(key, from, to)
  for _, each in ipairs(standingsIn(box, key, from, to, window)) do
    local s = each.s
    if s.state == "scheduled" and tonumber(s.due) <= tonumber(since) then
      local isClaimed = s.lease ~= "-" and tonumber(s.lease) > tonumber(now)
      answer[#answer + 1] = each.member
      answer[#answer + 1] = s.due
      answer[#answer + 1] = isClaimed and "c" or "w"
      answer[#answer + 1] = "=" .. s.name
    end
  end
end

for _, kind in ipairs({ "ready", "alone" }) do
  for _, queue in ipairs(queuesOf(box, kind, nil)) do
    look(queue.key, "-inf", now)
    -- A record with a lease has the end of the lease as its score.
    look(queue.key, "(" .. now, "+inf")
  end
end
return answer
`}`;
