/**
 * The scripts that write messages and fences together with the user's own writes.
 *
 * Redis does not undo the writes of a script that fails. So the script first checks everything that could
 * refuse the transaction, then runs the user's part, and writes fences and messages last. If the user's part
 * fails, no message is stored.
 *
 * @module
 */
import { WRITING } from "./write.ts";

/** Additions within a MULTI: a key that another message has is an error of this command. */
export const WRITE_IN_MULTI: string = `${WRITING}
local answer, conflict = plan(ARGV, 2)
if conflict then
  return redis.error_reply("ATLAST id_conflict: a message with another name or body has the id of " .. conflict)
end
write()
return answer
`;

/**
 * The script of a transaction. `own` is the user's part, which comes first so that it cannot see Atlast's
 * variables.
 *
 * Arguments: how many keys and arguments are the user's, how many fences and commands there are; the user's
 * arguments; of each fence its row, its set, its member, when, and a token; of each command how many words it
 * has, and the words; then the arguments of `plan`. Keys: the user's first.
 *
 * Answer: `*done`, `*again` when it has run before, or `*cancelled`, with the result of the user's part; or
 * `*taken` with the member whose key another message has; or `*fenced` with the member and the existing row.
 */
export function transactionLua(own: string): string {
  return `local function own(KEYS, ARGV, cancel)
${own}
end
${WRITING}${TRANSACTION}`;
}

const TRANSACTION = String.raw`
local all = ARGV
local keyCount, argCount, fenceCount, commandCount = tonumber(all[2]), tonumber(all[3]), tonumber(all[4]),
  tonumber(all[5])
local ownKeys, ownArgs, at = {}, {}, 6
for i = 1, keyCount do ownKeys[i] = KEYS[i] end
for i = 1, argCount do
  ownArgs[i] = all[at]
  at = at + 1
end

local fences, fencesAgain = {}, 0
for i = 1, fenceCount do
  fences[i] = { row = all[at], set = all[at + 1], member = all[at + 2], when = all[at + 3],
    text = "committed " .. all[at + 4] }
  at = at + 5
  local row = redis.call("GET", fences[i].row)
  if row == fences[i].text then fencesAgain = fencesAgain + 1
  elseif row then return { "*fenced", fences[i].member, row } end
end

local commands = {}
for i = 1, commandCount do
  local count = tonumber(all[at])
  commands[i] = {}
  for j = 1, count do commands[i][j] = all[at + j] end
  at = at + count + 1
end

local _, conflict = plan(all, at)
if conflict then return { "*taken", conflict } end
if isAgain or (fenceCount > 0 and fencesAgain == fenceCount) then return { "*again" } end

local isCancelled = false
local result = own(ownKeys, ownArgs, function(value)
  isCancelled = true
  return value
end)
-- Some clients misread a status within an array.
if type(result) == "table" and result.ok then result = result.ok end
if isCancelled then return { "*cancelled", result } end
for _, words in ipairs(commands) do redis.call(unpack(words)) end
for _, fence in ipairs(fences) do
  redis.call("ZADD", fence.set, fence.when, fence.member)
  redis.call("SET", fence.row, fence.text)
end
write()
return { "*done", result }
`;
