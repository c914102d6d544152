/**
 * Messages in deliveries whose headers are not signed.
 *
 * @module
 */
import { HEADER, messageFromWire } from "../../core/message/headers.ts";
import type { Message } from "../../core/message/message.ts";
import { matchesName } from "../../core/message/name.ts";
import type { PushDelivery } from "../../core/ports/push_delivery.ts";
import { isBatch, isSignedHeader } from "../../core/wire/wire.ts";
import { messageFields, withinHeaderLimit } from "../http/headers.ts";
import { never } from "../http/status.ts";

/**
 * The message of such a delivery: its name, body and content type, with an id derived from the
 * signed data. All other headers could be forged, and are dropped.
 *
 * @throws {Refusal} A final one, unless the verifier accepts messages of this name without signed
 * headers.
 */
export function unboundMessage(
  headers: Headers,
  rawBody: Uint8Array,
  nowMs: number,
  { unbound }: PushDelivery,
): Message {
  if (isBatch(headers.get("content-type"))) {
    throw never(
      "Cannot take a batch that could be a raw body: want it signed as a batch",
      "unbound",
    );
  }
  const fields = messageFields(headers);
  const name = fields[HEADER.name] ?? "";
  if (unbound === null || !unbound.names.some((pattern) => matchesName(pattern, name))) {
    throw never(
      "Cannot take a message whose headers are not signed: want one that Atlast published, or a name " +
        "that the verifier takes unbound",
      "unbound",
    );
  }
  const kept = Object.entries(fields).filter(([field]) => !isSignedHeader(field));
  const own = { ...Object.fromEntries(kept), [HEADER.id]: unbound.id, [HEADER.name]: name };
  return withinHeaderLimit(() => messageFromWire(own, rawBody, nowMs));
}
