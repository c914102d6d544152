/**
 * The limit of a tick or a flush that sends to buses of its own process. A bus that is not started handles a message
 * within its delivery, which is then within the send.
 *
 * @module
 */
import type { Message } from "../message/message.ts";

/** The limit of a call whose sends may include handlers. */
export interface SendLimit {
  /** How much time is left, in milliseconds. Handlers that have not begun then are not begun. */
  leftMs(): number;
  /** Called with how many messages were handled within the send, and how many attempts failed. */
  handled(count: number, failed: number): void;
}

/** By the object of the message, so that a delivery of the same message from elsewhere has no limit. */
const limits = new WeakMap<Message, SendLimit>();

/** Sets the limit of messages that are about to be sent. */
export function limitSend(messages: readonly Message[], limit: SendLimit): void {
  for (const message of messages) limits.set(message, limit);
}

/** The limit under which a message is sent; undefined for none. */
export function limitOf(message: Message | undefined): SendLimit | undefined {
  return message === undefined ? undefined : limits.get(message);
}
