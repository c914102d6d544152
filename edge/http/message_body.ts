/**
 * Converts the body of a request into the body of a message.
 *
 * @module
 */
import { isText, type Message, type MessageBody } from "../../core/message/message.ts";

/**
 * Bytes become text when the content type says so and they are UTF-8, byte for byte: a byte-order
 * mark stays. What came as text stays text, as its publisher had it.
 */
export function keptBody(contentType: string, body: MessageBody): MessageBody {
  if (typeof body === "string" || !isText(contentType)) return body;
  return textOf(body) ?? body;
}

/** The message with its body in the form in which it is kept. */
export function kept(message: Message): Message {
  return { ...message, body: keptBody(message.contentType, message.body) };
}

/** UTF-8 as text; null for bytes that are none. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
