/**
 * Stands for the transport of a bus that has none, because all of its subscribers use its store.
 *
 * @module
 */
import { MAX_BODY_BYTES } from "../../core/message/message.ts";
import type { Transport } from "../../core/ports/transport.ts";

/** How many messages are added to the inbox in one statement. */
const MAX_BATCH = 1_000;

/** Has no route, so it is given nothing to send. */
export const noTransport: Transport = {
  capabilities: { maxBatch: MAX_BATCH, maxBodyBytes: MAX_BODY_BYTES },
  routes: () => false,
  send: (messages) =>
    Promise.resolve(messages.map(({ name }) => ({
      kind: "unroutable",
      reason: `Cannot send ${JSON.stringify(name)}: the bus has no transport`,
    }))),
  close: () => Promise.resolve(),
};
