/**
 * Records that wait for a route or a subscriber.
 *
 * @module
 */
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type { UnroutableRequest } from "../../../core/lifecycle/unroutable.ts";
import type { Untaken, UntakenRequest } from "../../../core/ports/claim_request.ts";
import type { Script } from "./client.ts";
import { groupFields, keyOfMember, queuesOf } from "./keys.ts";
import { timeField } from "./record_text.ts";
import { MAKE_DUE_SCRIPT, UNTAKEN_SCRIPT, WAITING_SCRIPT } from "./scripts.ts";
import type { Call, Keys } from "./writes.ts";

/** The most records that one call makes due. */
const MOST = 1_000;

/** Runs a script. */
type Run = (script: Script, call: Call) => Promise<unknown[]>;

/** The sets of the records of some groups, and the groups as scripts are given them. */
function queuesIn(
  keys: Keys[Box],
  box: Box,
  { groups }: { readonly groups?: readonly string[] },
): { readonly keys: [string, ...string[]]; readonly fields: readonly string[] } {
  const wanted = groups?.map((group) => ({ group }));
  return { keys: queuesOf(keys, box, "scheduled", wanted), fields: groupFields(wanted) };
}

/** See `StoreHints.untaken`. */
export async function untaken(
  run: Run,
  keys: Keys[Box],
  box: Box,
  request: UntakenRequest,
): Promise<Untaken[]> {
  if (request.groups?.length === 0) return [];
  const queues = queuesIn(keys, box, request);
  const answer = await run(UNTAKEN_SCRIPT, {
    keys: queues.keys,
    args: [box, timeField(request.nowMs), ...queues.fields],
  });
  const found: Untaken[] = [];
  for (let i = 0; i + 3 < answer.length; i += 4) {
    const [group, name, count, sinceMs] = answer.slice(i, i + 4).map((each) =>
      String(each).slice(1)
    );
    found.push({
      group: keyOfMember(`${group}:`).group,
      name: JSON.parse(name as string),
      count: Number(count),
      sinceMs: Number(sinceMs),
    });
  }
  return found;
}

/** See `Store.makeUnroutableDue`. */
export async function makeUnroutableDue(
  run: Run,
  keys: Keys[Box],
  box: Box,
  request: UnroutableRequest,
): Promise<number> {
  if (request.groups?.length === 0) return 0;
  const { nowMs, untilMs, isTaken } = request;
  const { keys: queues, fields } = queuesIn(keys, box, request);
  const now = timeField(nowMs);
  const waiting = await run(WAITING_SCRIPT, {
    keys: queues,
    args: [box, now, timeField(untilMs), ...fields],
  });
  const members: string[] = [];
  for (let i = 0; i + 1 < waiting.length; i += 2) {
    const member = String(waiting[i]);
    const name = JSON.parse(String(waiting[i + 1]).slice(1));
    if (isTaken(name, keyOfMember(member).group)) members.push(member);
  }
  let made = 0;
  for (let from = 0; from < members.length; from += MOST) {
    const some = members.slice(from, from + MOST);
    const [said] = await run(MAKE_DUE_SCRIPT, {
      keys: [...queues, ...some.map((member) => keys.standing(member))],
      args: [box, now, ...some],
    });
    made += Number(String(said).slice(1));
  }
  return made;
}
