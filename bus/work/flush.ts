/**
 * Flush: sends what is due now.
 *
 * @module
 */
import { nextAlarmAt } from "../dispatch/unroutable.ts";
import type { Settings } from "../settings/settings.ts";
import { DueWork } from "./due_work.ts";
import type { TickParts } from "./tick.ts";
import type { WorkLoop } from "./work_loop.ts";
import { workOnce } from "./work_source.ts";

/**
 * Sends what is due, or waits until the loop of a running bus has sent it, until the budget is spent. With an alarm,
 * resolves to when the next message is due, in Unix milliseconds; otherwise, and for none, to null.
 */
export async function flush<Tx>(parts: TickParts<Tx>, budgetMs: number): Promise<number | null> {
  const { settings, sources, toSend, loops, draining } = parts;
  const { clock, store, alarm } = settings;
  await store.ready();
  const untilMs = clock.now() + budgetMs;
  const loop = loops()?.sent;
  if (loop === undefined) {
    for (let claimed = 1; claimed > 0 && !draining() && clock.now() < untilMs;) {
      ({ claimed } = await workOnce(sources.outbox, untilMs, ["ready"]));
    }
  } else await loopSends(settings, loop, untilMs, draining);
  if (alarm === undefined) return null;
  const dueAtMs = await toSend.dueHere(await toSend.nextDueAt("all"));
  return await nextAlarmAt(settings, "outbox", undefined, dueAtMs);
}

async function loopSends<Tx>(
  settings: Settings<Tx>,
  loop: WorkLoop<Tx>,
  untilMs: number,
  draining: () => boolean,
): Promise<void> {
  const work = new DueWork(settings, { sent: loop }, untilMs, draining);
  try {
    await work.settle(() => Promise.resolve());
  } finally {
    work.end();
  }
}
