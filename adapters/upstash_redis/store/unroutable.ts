/**
 * Records that wait for a route or a subscriber.
 *
 * @module
 */
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type { UnroutableRequest } from "../../../core/lifecycle/unroutable.ts";
import type { Untaken, UntakenRequest } from "../../../core/ports/claim_request.ts";
import type { Script } from "./client.ts";
import { keyOfMember } from "./keys.ts";
import { timeField } from "./record_text.ts";
import { MAKE_DUE_SCRIPT, UNTAKEN_SCRIPT, WAITING_SCRIPT } from "./scripts.ts";
import type { Call, Keys } from "./writes.ts";

/** The most records that one call makes due. */
const MOST = 1_000;

/** The sets of the records of some groups. */
export interface Queues {
  /** Their keys. */
  readonly keys: [string, ...string[]];
  /** The groups, as scripts are given them. */
  readonly fields: readonly string[];
}

/** See `StoreHints.untaken`. */
export async function untaken(
  run: (script: Script, call: Call) => Promise<unknown[]>,
  box: Box,
  { nowMs }: UntakenRequest,
  { keys, fields }: Queues,
): Promise<Untaken[]> {
  const answer = await run(UNTAKEN_SCRIPT, { keys, args: [box, timeField(nowMs), ...fields] });
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
  run: (script: Script, call: Call) => Promise<unknown[]>,
  keys: Keys[Box],
  box: Box,
  { nowMs, untilMs, isTaken }: UnroutableRequest,
  { keys: queues, fields }: Queues,
): Promise<number> {
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
