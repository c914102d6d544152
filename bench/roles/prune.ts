/**
 * A process that deletes what is past its expiry.
 *
 * @module
 */
import type { Session } from "../subject.ts";
import type { Talk } from "./talk.ts";

/** Deletes all of it, at a word. */
export async function prune(session: Session, { say, told }: Talk): Promise<void> {
  say({ kind: "ready" });
  await told();
  const startMs = performance.now();
  const count = await session.prune?.() ?? 0;
  say({ kind: "pruned", count, elapsedMs: performance.now() - startMs });
}
