/**
 * A process that deletes what is past its expiry.
 *
 * @module
 */
import type { Session } from "../../subjects/subject.ts";
import type { OrderFor, Talk } from "../channel.ts";

/** Deletes for a slice of time at each word, until it is ended. */
export async function prune(
  session: Session,
  order: OrderFor<"prune">,
  { say, told }: Talk,
): Promise<never> {
  // Connections are opened and code is compiled, in hardly enough time to delete anything.
  let count = await session.prune?.(1) ?? 0;
  say({ kind: "ready" });
  for (;;) {
    await told();
    count += await session.prune?.(order.sliceMs) ?? 0;
    say({ kind: "pruned", count });
  }
}
