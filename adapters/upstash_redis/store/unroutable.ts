/**
 * Records that wait for a route or a subscriber.
 *
 * @module
 */
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import type { UnroutableRequest } from "../../../core/lifecycle/unroutable.ts";
import type { Script } from "./client.ts";
import { keyOfMember } from "./keys.ts";
import { timeField } from "./record_text.ts";
import { MAKE_DUE_SCRIPT, WAITING_SCRIPT } from "./scripts.ts";
import type { Call, Keys } from "./writes.ts";

/** The most records that one call makes due. */
const MOST = 1_000;

/** See `Store.makeUnroutableDue`. `queues` index the records, `words` select their groups. */
export async function makeUnroutableDue(
  run: (script: Script, call: Call) => Promise<unknown[]>,
  keys: Keys[Box],
  box: Box,
  { nowMs, untilMs, isTaken }: UnroutableRequest,
  queues: Call["keys"],
  fields: readonly string[],
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
