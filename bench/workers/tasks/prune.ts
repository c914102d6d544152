/**
 * The task that deletes expired messages.
 *
 * @module
 */
import type { Session } from "../../subjects/subject.ts";
import type { Channel, TaskOf } from "../channel.ts";

/** Prunes for a slice of time after each signal, until it is killed. */
export async function prune(
  session: Session,
  task: TaskOf<"prune">,
  { send, nextSignal }: Channel,
): Promise<never> {
  // Opens connections and compiles code; the time is too short to delete much.
  let count = await session.prune?.(1) ?? 0;
  send({ kind: "ready" });
  for (;;) {
    await nextSignal();
    count += await session.prune?.(task.sliceMs) ?? 0;
    send({ kind: "pruned", count });
  }
}
