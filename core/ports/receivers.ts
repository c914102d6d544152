/**
 * The receivers that are attached to a transport.
 *
 * @module
 */
import type { Receiver } from "./transport.ts";

/** The receivers that stay when `Transport.close` is called: without a receiver it detaches all. */
export function receiversAfterClose(
  receivers: ReadonlySet<Receiver>,
  closed?: Receiver,
): Set<Receiver> {
  if (closed === undefined) return new Set();
  return new Set([...receivers].filter((receiver) => receiver !== closed));
}
