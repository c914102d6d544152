/**
 * Checks a delivery before anything is stored or handled. Every transport, and subscribers without a store, use
 * the same checks.
 *
 * @module
 */
import {
  callbackNamesOf,
  checkCallbackNames,
  checkCallbacksAllowed,
  wantsCallback,
} from "../../core/message/callback_names.ts";
import { isRecord } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { isReservedId } from "../../core/message/id.ts";
import {
  checkBodySize,
  copyOfMessage,
  isBytes,
  isWithin,
  type Message,
} from "../../core/message/message.ts";
import type { DeliverOptions, DeliveryResult } from "../../core/ports/transport.ts";
import { isDerivedId } from "../settings/ids.ts";
import type { Observer } from "../api/observer.ts";

/** The settings of admission. */
interface AdmissionParts {
  /** The patterns of callback names that any sender may request; null for all names. */
  readonly callbackNames: readonly string[] | null;
  /** The largest body, in bytes; omitted if only the size of the request is limited. */
  readonly maxBodyBytes?: number;
  /** Called with each rejection. */
  readonly observe: Observer;
}

/**
 * Delivers the messages that are admitted and rejects the others. A message is rejected if a
 * field of it has another type, if its body is too large, if its callback names are not allowed, or
 * if its id has the form of an answer's id and is not derived from its headers.
 */
export async function admitting(
  parts: AdmissionParts,
  messages: readonly Message[],
  { principal }: Pick<DeliverOptions, "principal">,
  deliver: (admitted: readonly Message[]) => Promise<DeliveryResult[]>,
): Promise<DeliveryResult[]> {
  // Most messages are no answers and request none, so they skip the checks.
  const { maxBodyBytes = Infinity } = parts;
  const isChecked = (message: Message) => mustBeChecked(message, maxBodyBytes);
  if (!messages.some(isChecked)) return await deliver(messages);
  // The checks are asynchronous, and the caller may change its messages meanwhile.
  const own = messages.map((message) => isMessage(message) ? copyOfMessage(message) : message);
  const rejected = await Promise.all(own.map(async (message) => {
    const problem = isChecked(message) ? await problemOf(parts, message, principal) : null;
    if (problem === null) return null;
    parts.observe({ kind: "error", during: "deliver", error: problem });
    return rejection(problem);
  }));
  const admitted = own.filter((_, i) => rejected[i] === null);
  const results = admitted.length === 0 ? [] : await deliver(admitted);
  let next = 0;
  return rejected.map((result) => result ?? results[next++] as DeliveryResult);
}

function mustBeChecked(message: Message, maxBodyBytes: number): boolean {
  return !isMessage(message) || isReservedId(message.id) || wantsCallback(message.headers) ||
    !isWithin(message.body, maxBodyBytes);
}

/** Whether the fields have the types of a message's: the transport may be user code. */
function isMessage(message: unknown): boolean {
  if (!isRecord(message)) return false;
  const { id, name, headers, contentType, body, sentAtMs } = message;
  return typeof id === "string" && typeof name === "string" && isRecord(headers) &&
    typeof contentType === "string" && Number.isFinite(sentAtMs) &&
    (typeof body === "string" || isBytes(body));
}

async function problemOf(
  { callbackNames, maxBodyBytes }: AdmissionParts,
  message: Message,
  principal: DeliverOptions["principal"],
): Promise<AtlastError | null> {
  if (!isMessage(message)) {
    return new AtlastError(
      "malformed_message",
      "Cannot take a message whose fields have other types: want texts for id, name and content type, an object " +
        "of headers, a text or bytes for the body, and a time",
    );
  }
  if (isReservedId(message.id) && !await isDerivedId(message)) {
    return new AtlastError(
      "malformed_message",
      `Cannot take a message "${message.name}" with the id of an answer: its id is not derived from ` +
        `its own headers`,
    );
  }
  try {
    if (maxBodyBytes !== undefined) checkBodySize(message.body, maxBodyBytes);
    checkCallbackNames(message.headers);
    checkCallbacksAllowed(message.headers, callbackNames, callbackNamesOf(principal));
    return null;
  } catch (error) {
    if (error instanceof AtlastError) return error;
    throw error;
  }
}

function rejection({ code, message }: AtlastError): DeliveryResult {
  return {
    kind: "rejected",
    code: code === "forbidden" || code === "too_large" ? code : "malformed_message",
    reason: message,
  };
}
