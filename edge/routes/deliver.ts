/**
 * The deliver route: receives one message as HTTP headers and a raw body, or a batch.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { messageFromWire } from "../../core/message/headers.ts";
import type { Message } from "../../core/message/message.ts";
import type {
  Arrival,
  DeliverOptions,
  DeliveryResult,
  Receiver,
} from "../../core/ports/transport.ts";
import type { Principal } from "../../core/principal.ts";
import { ARRIVED_HEADER } from "../../core/wire/redelivery.ts";
import type { PushDelivery } from "../../core/ports/push_delivery.ts";
import { type BatchEntry, isBatch, parseBatch, type WireResult } from "../../core/wire/wire.ts";
import { withOtherHeaders } from "../../http/raw_message.ts";
import { answer } from "../http/response.ts";
import { kept, textOf } from "../http/message_body.ts";
import { messageFields, withinHeaderLimit } from "../http/headers.ts";
import { unboundMessage } from "./unbound_message.ts";
import { Refusal, rejection, statusOf, unavailable } from "../http/status.ts";

/** The authenticated sender. */
interface Sender {
  readonly principal: Principal;
  readonly push: PushDelivery | null;
}

/**
 * Passes the messages of a request to the bus, and answers with their results.
 *
 * @param sender The sender; `push` has the data of a push provider, and is null for others.
 */
export function deliver(
  receiver: Receiver,
  headers: Headers,
  rawBody: Uint8Array,
  nowMs: number,
  { principal, push }: Sender,
): Promise<Response> {
  const isPushed = principal.kind === "push_provider";
  if (push !== null && !push.bindsHeaders) {
    return deliverOne(receiver, unboundMessage(headers, rawBody, nowMs, push), isPushed);
  }
  if (!isBatch(headers.get("content-type"))) {
    const fields = withOtherHeaders(messageFields(headers));
    const message = withinHeaderLimit(() => messageFromWire(fields, rawBody, nowMs));
    return deliverOne(receiver, message, isPushed);
  }
  const entries = entriesOf(rawBody, nowMs);
  // A push provider reads only the status, which can describe only one message.
  return isPushed
    ? deliverOne(receiver, onlyMessageOf(entries), isPushed)
    : deliverBatch(receiver, entries);
}

async function deliverOne(
  receiver: Receiver,
  whole: Message,
  isPushed: boolean,
): Promise<Response> {
  const message = kept(whole);
  const [result] = await deliverAll(receiver, [message], isPushed ? {} : { readsBodies: true });
  const status = statusOf(result!, isPushed);
  if (result!.kind === "refused") {
    const { code = "refused", retryAfterMs, reason } = result!;
    const refusal = unavailable(code, retryAfterMs, `Cannot take it now: ${reason}`);
    throw withArrival(refusal, result!.arrived);
  }
  if (result!.kind === "rejected") {
    throw withArrival(rejection(result!), result!.arrived);
  }
  if (result!.kind === "no_subscriber") {
    throw new Refusal(
      status,
      "no_subscriber",
      `Cannot deliver "${message.name}": nothing here subscribes to it`,
    );
  }
  return answer({ results: [wireResult(message.id, result!)] }, status);
}

/** Adds to a refusal that the message may have taken effect. */
function withArrival(refusal: Refusal, arrived: Arrival | undefined): Refusal {
  if (arrived !== "unknown") return refusal;
  return refusal.with({ headers: { ...refusal.headers, [ARRIVED_HEADER]: arrived } });
}

function entriesOf(rawBody: Uint8Array, nowMs: number): BatchEntry[] {
  const text = textOf(rawBody);
  if (text !== null) return parseBatch(text, nowMs);
  throw new AtlastError("malformed_message", "Cannot read a batch that is no UTF-8: want JSON");
}

function onlyMessageOf([entry, ...others]: readonly BatchEntry[]): Message {
  if (entry === undefined || others.length > 0) {
    throw new AtlastError(
      "malformed_message",
      `Cannot take ${others.length + 1} messages in one delivery of a push provider: want one`,
    );
  }
  if (entry.message === null) throw entry.problem;
  return entry.message;
}

async function deliverBatch(
  receiver: Receiver,
  entries: readonly BatchEntry[],
): Promise<Response> {
  const messages = entries.map(({ message }) => message).filter((message) => message !== null);
  const results = await deliverAll(receiver, messages.map(kept));
  let next = 0;
  const answers = entries.map((entry) =>
    entry.message === null ? malformed(entry) : wireResult(entry.id, results[next++]!)
  );
  const [first] = entries;
  // Nothing of it can be read, so the sender need not read the results to see that.
  return messages.length === 0 && first?.message === null
    ? answer({ error: malformedError(first), results: answers }, 400)
    : answer({ results: answers }, 200);
}

function malformedError({ problem: { code, message } }: BatchEntry & { message: null }) {
  return { code, message };
}

/**
 * Delivers the messages and checks that there is a result for each: a missing one would look like a
 * success.
 */
async function deliverAll(
  receiver: Receiver,
  messages: readonly Message[],
  options?: DeliverOptions,
): Promise<DeliveryResult[]> {
  const results = messages.length === 0 ? [] : await receiver.deliver(messages, options);
  if (results.length !== messages.length) {
    throw new Error(`Cannot answer: got ${results.length} results for ${messages.length} messages`);
  }
  return results;
}

/**
 * The result for the sender, without the reason of a failure: that is a handler's error text and
 * may contain anything.
 */
function wireResult(id: string, result: DeliveryResult): WireResult {
  switch (result.kind) {
    case "refused": {
      const { kind: status, ...why } = result;
      return { id, status, ...why };
    }
    case "rejected":
      return {
        id,
        status: "rejected",
        reason: result.reason,
        ...(result.code === undefined ? {} : { code: result.code }),
        ...(result.arrived === undefined ? {} : { arrived: result.arrived }),
      };
    default:
      return { id, status: result.kind };
  }
}

function malformed({ id, problem }: BatchEntry & { message: null }): WireResult {
  return { id, status: "malformed", reason: problem.message, code: problem.code };
}
