/**
 * The responses of operations: the header of each, and the meaning of each refusal.
 *
 * @module
 */
import { type JsonSchema, schemaRef } from "./schemas.ts";

/** What each status of a refusal means. */
const REFUSALS = {
  400: "It cannot be read, or does not fit its contract; it would not do so next time either.",
  401:
    "Nobody knows who asks: unsigned, wrongly signed, signed too long ago, or without a known token.",
  403: "Who asks may not do this.",
  404: "There is no such thing here: no subscriber, no route or no message of this name or id.",
  408: "The body broke off on the way, or came too slowly or in too many pieces; send it again.",
  409:
    "It contradicts what is there: the id is taken by another message, or it was decided otherwise.",
  413: "The body is too large, or there are too many messages in it.",
  415: "Its content type is none that is taken here, or it is compressed.",
  431: "There are too many headers, or they are too long.",
  489: "It can never be taken: another attempt would end the same way.",
  500: "Something went wrong in the service; its log has more under the request's id.",
  503: "Not now; come again, when Retry-After says if it is there.",
} as const;

/** The status of a refusal. */
export type RefusalStatus = keyof typeof REFUSALS;

/** The headers that answers may have, for the document's components. */
export const ANSWER_HEADERS: Readonly<Record<string, JsonSchema>> = {
  RequestId: {
    description: "The request's id: the caller's own if it sent one, a new one if not.",
    required: true,
    schema: { type: "string" },
  },
  AcceptEncoding: {
    description: "How bodies are taken, for one that was compressed.",
    schema: { type: "string" },
  },
  RetryAfter: {
    description: "When to come again, in seconds.",
    schema: { type: "string", pattern: "^[0-9]+$" },
  },
  Arrived: {
    description: "The message may have taken effect all the same.",
    schema: { type: "string", const: "unknown" },
  },
  PublisherNotified: {
    description: "The message's publisher has had word of it from here, if it asked for one.",
    schema: { type: "string", const: "true" },
  },
  Signed: {
    description: "The answer is signed after Standard Webhooks, under an id made of the request's.",
    required: true,
    schema: { type: "string" },
  },
  SignedIfVerified: {
    description:
      "The same, on a refusal of a request that was verified and on other answers that may be signed.",
    schema: { type: "string" },
  },
};

/** Which headers beside the request's id an answer of a status may have. */
const HEADERS_OF: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  415: { "accept-encoding": "AcceptEncoding" },
  // In place of 415 for a push provider.
  489: { "accept-encoding": "AcceptEncoding" },
  503: { "retry-after": "RetryAfter" },
};

/** An answer with a body of a schema. */
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

/** The refusals that an operation may answer with, in a content type of its own. */
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

/** By status, the headers that push providers read on a refusal for good, as references by name. */
export type FinalHeaders = Readonly<Record<number, Readonly<Record<string, string>>>>;

/** The refusals for good that only push providers are answered. */
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
