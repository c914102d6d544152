/**
 * Stands for the transport of a bus that has none, because all of its subscribers use its store.
 *
 * @module
 */
import type { Transport } from "../../core/ports/transport.ts";

/** How many messages are added to the inbox in one statement. */
const MAX_BATCH = 1_000;

/** Has no route, so it is given nothing to send. */
export const noTransport: Transport = {
  capabilities: { maxBatch: MAX_BATCH, maxBodyBytes: Number.MAX_SAFE_INTEGER },
  routes: () => false,
  send: (messages) =>
    Promise.resolve(messages.map(({ name }) => ({
      kind: "unroutable",
      reason: `Cannot send ${JSON.stringify(name)}: the bus has no transport`,
    }))),
  close: () => Promise.resolve(),
};
