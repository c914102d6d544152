/**
 * The headers of requests: those of a message, and those that authenticate the caller.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import { MAX_ID_LENGTH } from "../../core/message/id.ts";
import { MAX_TICK_BUDGET_MS } from "../routes/tick_budget.ts";
import type { JsonSchema } from "./schemas.ts";

/** The description of each message header. */
const ABOUT: Readonly<Record<Exclude<keyof typeof HEADER, "participant">, string>> = {
  id: "The message's id, which is never reused.",
  name: "The message's name.",
  type: "The body's type, for receivers that choose a deserialiser by it. Atlast never reads it.",
  sentTime: "When it was published, ISO 8601.",
  correlationId: "The id of the message that this one answers.",
  correlationSequence: "Its position in a chain of answers.",
  callbackName: "The name under which the handler's return value is published.",
  delayTime: "How long to wait before delivery: milliseconds, or hh:mm:ss.",
  exception: "Why it failed, on a failure callback.",
  group: "The group that answers, on a callback.",
  traceparent: "W3C trace context.",
  failureCallbackName:
    "The name of the failure callback, which notifies the publisher that the message has failed.",
  responder: "On a callback: the service that answers, from which its id is derived.",
  round:
    "On a callback: the round of its request, 1 by default and one more after each retry by an operator.",
  content: "On the failure callback of a conflict of ids: the digest of the message it is about.",
  afterFailure: "true on messages and answers that follow a failure callback for the same message.",
  others: "Headers that HTTP does not preserve: a JSON object, in base64.",
  destination: "A URL to send it to instead of the route of its name, if the service allows it.",
  deadline: "After which it must not be handled, by the sender's clock, ISO 8601.",
  timeLeft: "How long it may be handled from its arrival, in milliseconds.",
  firstAttempt: "When the first attempt that may have arrived began, ISO 8601.",
  forced:
    "`true` to accept the message although its id may have been pruned after an earlier delivery.",
};

/**
 * The headers of a message as parameters. Other headers that begin with cap- or atlast- are carried
 * along.
 */
export function messageHeaders(required: readonly (keyof typeof ABOUT)[]): JsonSchema[] {
  return (Object.keys(ABOUT) as (keyof typeof ABOUT)[]).map((key) => ({
    name: HEADER[key],
    in: "header",
    required: required.includes(key),
    description: ABOUT[key],
    schema: key === "id" ? { type: "string", maxLength: MAX_ID_LENGTH } : { type: "string" },
  }));
}

/** The request id header, which every operation accepts. */
export const REQUEST_ID: JsonSchema = {
  name: "x-request-id",
  in: "header",
  required: false,
  description:
    "The request's id, for the logs of caller and service. Replaced by a new one if it is malformed.",
  schema: { type: "string" },
};

/** How long a tick may take. */
export const BUDGET: JsonSchema = {
  name: "budgetMs",
  in: "query",
  required: false,
  description: `How long the tick may take, in milliseconds, at most ${MAX_TICK_BUDGET_MS}.`,
  schema: { type: "integer", minimum: 1 },
};

/** How callers authenticate, besides push providers. Each service chooses which it accepts. */
export const SECURITY_SCHEMES = {
  signature: {
    type: "apiKey",
    in: "header",
    name: "webhook-signature",
    description:
      "A signature by Standard Webhooks, with webhook-id and webhook-timestamp. The id is " +
      "atlast_msg_ and the base64url SHA-256 of the line audience: with the route's name (deliver, " +
      "publish, tick) and the message's headers, one line name:value for content-type and each cap- and " +
      "atlast- header, in the order of their names. A request with all its data in the body may have any " +
      `id that does not begin with atlast_, if its body has "audience" with the name of the route.`,
  },
  bearer: { type: "http", scheme: "bearer", description: "A token that the service knows." },
} as const satisfies Record<string, JsonSchema>;

/** Any one of several security schemes. */
export function anyOf(...schemes: readonly string[]): JsonSchema[] {
  return schemes.map((scheme) => ({ [scheme]: [] }));
}
