/**
 * Converts the body of a request into the body of a message.
 *
 * @module
 */
import { isText, type Message, type MessageBody } from "../../core/message/message.ts";

/**
 * Converts bytes to text if the content type is text and they are valid UTF-8. A byte-order mark is
 * kept. A body that arrived as text stays text.
 */
export function keptBody(contentType: string, body: MessageBody): MessageBody {
  if (typeof body === "string" || !isText(contentType)) return body;
  return textOf(body) ?? body;
}

/** The message with its body in the form in which it is stored. */
export function kept(message: Message): Message {
  return { ...message, body: keptBody(message.contentType, message.body) };
}

/** Decodes UTF-8; null for invalid bytes. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
