/**
 * The headers of requests: those of a message, and those that authenticate the caller.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import { MAX_ID_LENGTH } from "../../core/message/id.ts";
import { MAX_TICK_BUDGET_MS } from "../routes/tick_budget.ts";
import type { JsonSchema } from "./schemas.ts";

/** What each header of a message says. */
const ABOUT: Readonly<Record<Exclude<keyof typeof HEADER, "participant">, string>> = {
  id: "The message's id, unique for ever.",
  name: "The message's name.",
  type: "The body's type, for receivers that choose a deserialiser by it; carried, never read.",
  sentTime: "When it was published, ISO 8601.",
  correlationId: "The id of the message that this one answers.",
  correlationSequence: "How many answers deep it is.",
  callbackName: "The name under which the handler's return value is published.",
  delayTime: "How long it is to wait before delivery: milliseconds, or hh:mm:ss.",
  exception: "Why it failed, on a failure callback.",
  group: "The group that answers, on a callback.",
  traceparent: "W3C trace context.",
  failureCallbackName: "The name under which the publisher learns that all attempts are used up.",
  responder: "On a callback: the service that answers, of which its id is made.",
  round:
    "On a callback: which time it is that its request was tried from the start; 1 if not given.",
  content: "On the failure callback of a conflict of ids: the digest of the message it is about.",
  afterFailure: "true on what is sent or answered after a failure callback for the same message.",
  destination: "A URL to send it to instead of the route of its name, if the service allows it.",
  firstAttempt: "When the first attempt to deliver it that may have arrived began, ISO 8601.",
  forced: "`true` to have it taken although it may be forgotten that it was here.",
};

/** The headers of a message as parameters; more of those that begin with cap- and atlast- are carried along. */
export function messageHeaders(required: readonly (keyof typeof ABOUT)[]): JsonSchema[] {
  return (Object.keys(ABOUT) as (keyof typeof ABOUT)[]).map((key) => ({
    name: HEADER[key],
    in: "header",
    required: required.includes(key),
    description: ABOUT[key],
    schema: key === "id" ? { type: "string", maxLength: MAX_ID_LENGTH } : { type: "string" },
  }));
}

/** By which a caller may have its request known; every operation has it. */
export const REQUEST_ID: JsonSchema = {
  name: "x-request-id",
  in: "header",
  required: false,
  description: "The request's id, for the logs of both sides; a new one if it is not well-formed.",
  schema: { type: "string" },
};

/** How long a tick may take. */
export const BUDGET: JsonSchema = {
  name: "budgetMs",
  in: "query",
  required: false,
  description: `How long it may take, in milliseconds; ${MAX_TICK_BUDGET_MS} at most.`,
  schema: { type: "integer", minimum: 1 },
};

/** How callers are known, beside push providers. Which of them a service takes is its own choice. */
export const SECURITY_SCHEMES = {
  signature: {
    type: "apiKey",
    in: "header",
    name: "webhook-signature",
    description:
      "A signature after Standard Webhooks, with webhook-id and webhook-timestamp. The id is " +
      "atlast_msg_ and the base64url SHA-256 of the line audience: with the route's name (deliver, " +
      "publish, tick) and the message's headers, one line name:value for content-type and each cap- and " +
      "atlast- header, in the order of their names. A request whose body says everything may have any " +
      `id that does not begin with atlast_, if its body has "audience" with the name of the route.`,
  },
  bearer: { type: "http", scheme: "bearer", description: "A token that the service knows." },
} as const satisfies Record<string, JsonSchema>;

/** One of several ways. */
export function anyOf(...schemes: readonly string[]): JsonSchema[] {
  return schemes.map((scheme) => ({ [scheme]: [] }));
}
