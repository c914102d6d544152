/**
 * Messages that nobody here can take: how often they are tried, and for how long.
 *
 * @module
 */
import type { Unroutable } from "../lifecycle.ts";
import type { Settings } from "./options.ts";

/** How long a message without a route or subscriber here rests before it is tried again, by any instance. */
export const UNROUTABLE_PAUSE_MS = 30_000;

/** The event of a message that has no route or subscriber here. */
export function unroutable<Tx>(
  { unroutableForMs: forMs }: Pick<Settings<Tx>, "unroutableForMs">,
  reason: string,
): Unroutable {
  return { kind: "unroutable", reason, delayMs: UNROUTABLE_PAUSE_MS, forMs };
}
