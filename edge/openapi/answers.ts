/**
 * The responses of operations: the header of each, and the meaning of each refusal.
 *
 * @module
 */
import { type JsonSchema, schemaRef } from "./schemas.ts";

/** The meaning of each status of a refusal. */
const REFUSALS = {
  400: "The request is malformed or does not fit its contract. A retry would fail too.",
  401: "The caller is not authenticated: no signature, a wrong or expired one, or no known token.",
  403: "The caller may not do this.",
  404: "Not found: no subscriber, no route, or no message of this name or id.",
  408: "The body was cut off, or arrived too slowly or in too many pieces. Send it again.",
  409: "Conflict: another message has the id, or the message was decided otherwise.",
  413: "The body is too large, or has too many messages.",
  415: "The content type is not supported, or the body is compressed.",
  431: "There are too many headers, or they are too long.",
  489: "The message can never be accepted. A retry would fail too.",
  500: "Internal error. The service's log has more under the request's id.",
  503: "Temporarily unavailable. Retry after the time in Retry-After, if given.",
} as const;

/** The status of a refusal. */
export type RefusalStatus = keyof typeof REFUSALS;

/** The headers that responses may have, for the document's components. */
export const ANSWER_HEADERS: Readonly<Record<string, JsonSchema>> = {
  RequestId: {
    description: "The request's id: the caller's if it sent one, otherwise a new one.",
    required: true,
    schema: { type: "string" },
  },
  AcceptEncoding: {
    description: "The encoding of bodies that is accepted, after a compressed one.",
    schema: { type: "string" },
  },
  RetryAfter: {
    description: "When to retry, in seconds.",
    schema: { type: "string", pattern: "^[0-9]+$" },
  },
  Arrived: {
    description: "The message may have taken effect nevertheless.",
    schema: { type: "string", const: "unknown" },
  },
  PublisherNotified: {
    description: "This service has notified the message's publisher, if it requested that.",
    schema: { type: "string", const: "true" },
  },
  Signed: {
    description:
      "The response is signed by Standard Webhooks, with an id derived from the request's.",
    required: true,
    schema: { type: "string" },
  },
  SignedIfVerified: {
    description:
      "The same, on refusals of verified requests and on other responses that may be signed.",
    schema: { type: "string" },
  },
};

/** Which headers besides the request's id a response of a status may have. */
const HEADERS_OF: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  415: { "accept-encoding": "AcceptEncoding" },
  // In place of 415 for a push provider.
  489: { "accept-encoding": "AcceptEncoding" },
  503: { "retry-after": "RetryAfter" },
};

/** A response whose body has a schema. */
export function answerOf(
  description: string,
  contentType: string,
  schema: JsonSchema,
  headers: Readonly<Record<string, string>> = {},
): JsonSchema {
  const refs = Object.entries({ "x-request-id": "RequestId", ...headers })
    .map(([name, header]) => [name, { $ref: `#/components/headers/${header}` }]);
  return { description, headers: Object.fromEntries(refs), content: { [contentType]: { schema } } };
}

/** The refusals of an operation, in its content type. */
export function refusals(
  statuses: readonly RefusalStatus[],
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Record<string, JsonSchema> {
  return Object.fromEntries(statuses.map((status) => [
    String(status),
    answerOf(REFUSALS[status], contentType, schemaRef("Error"), {
      ...HEADERS_OF[status],
      ...headers,
    }),
  ]));
}

/** By status, the headers that push providers read on a final refusal, as references by name. */
export type FinalHeaders = Readonly<Record<number, Readonly<Record<string, string>>>>;

/** The final refusals that only push providers get. */
export function finalRefusals(
  finalHeaders: FinalHeaders,
  contentType: string,
  others: Readonly<Record<string, string>> = {},
): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(finalHeaders).map(([status, headers]) => [
      status,
      answerOf(REFUSALS[489], contentType, schemaRef("Error"), {
        ...HEADERS_OF[489],
        ...others,
        ...headers,
      }),
    ]),
  );
}
