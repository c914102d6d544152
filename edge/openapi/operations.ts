/**
 * The operations of the edge app.
 *
 * @module
 */
import {
  BATCH_CONTENT_TYPE,
  CHECKBACK_CONTENT_TYPE,
  HALF_CONTENT_TYPE,
  QUERY_CONTENT_TYPE,
} from "../../core/wire/wire.ts";
import {
  answerOf,
  type FinalHeaders,
  finalRefusals,
  refusals,
  type RefusalStatus,
} from "./answers.ts";
import { anyOf, BUDGET, messageHeaders, REQUEST_ID } from "./parameters.ts";
import { type JsonSchema, type SchemaName, schemaRef } from "./schemas.ts";

/** A path of the edge app, below its base path. */
export type OperationPath =
  | "/deliver"
  | "/publish"
  | "/tick"
  | "/checkback"
  | "/half"
  | "/query"
  | "/dead-letter"
  | "/health"
  | "/ready"
  | "/openapi.json";

const JSON_TYPE = "application/json";

/** What any request with a body may be refused with. */
const COMMON: readonly RefusalStatus[] = [400, 401, 403, 408, 413, 415, 431, 500, 503];

/** Any body with any content type, byte for byte. */
const RAW_BODY = {
  description: "The message's body, byte for byte.",
  content: { "*/*": { schema: {} } },
};

/** A request and its answer in one of Atlast's own content types. */
function own(
  operationId: string,
  summary: string,
  contentType: string,
  schemas: { readonly requests: SchemaName; readonly answers: SchemaName },
  more: {
    readonly refuses?: readonly RefusalStatus[];
    /** Which of the headers `Signed` and `SignedIfVerified` an answer and a refusal have. */
    readonly signs?: { readonly answer: string; readonly refusal?: string };
  } = {},
): JsonSchema {
  return {
    operationId,
    summary,
    security: anyOf("signature", "bearer"),
    parameters: [REQUEST_ID],
    requestBody: {
      required: true,
      content: { [contentType]: { schema: schemaRef(schemas.requests) } },
    },
    responses: {
      200: answerOf(
        summary,
        contentType,
        schemaRef(schemas.answers),
        signature(more.signs?.answer),
      ),
      ...refusals(
        [...COMMON, ...more.refuses ?? []],
        contentType,
        signature(more.signs?.refusal),
      ),
    },
  };
}

function signature(header: string | undefined): Record<string, string> {
  if (header === undefined) return {};
  return { "webhook-id": header, "webhook-timestamp": header, "webhook-signature": header };
}

function tick(
  operationId: string,
  providers: readonly string[],
  finalHeaders: FinalHeaders,
  refuses: readonly RefusalStatus[] = COMMON,
): JsonSchema {
  return {
    operationId,
    summary: "Do what background work is due.",
    security: anyOf("bearer", "signature", ...providers),
    parameters: [BUDGET, REQUEST_ID],
    responses: {
      200: answerOf("What was done.", JSON_TYPE, schemaRef("TickReport")),
      ...refusals(refuses, JSON_TYPE),
      ...finalRefusals(finalHeaders, JSON_TYPE),
    },
  };
}

/** A look that anyone may have. */
function look(
  operationId: string,
  summary: string,
  answers: JsonSchema,
  refuses: readonly RefusalStatus[] = [431],
  others: Readonly<Record<string, JsonSchema>> = {},
): JsonSchema {
  return {
    operationId,
    summary,
    security: [],
    parameters: [REQUEST_ID],
    responses: {
      200: answerOf(summary, JSON_TYPE, answers),
      ...refusals(refuses, JSON_TYPE),
      ...others,
    },
  };
}

/** What a refusal says of a message that was read. */
const REJECTED = { "atlast-publisher-notified": "PublisherNotified", "atlast-arrived": "Arrived" };

const DELIVERED = schemaRef("DeliveryResults");

/** Every path but that of the reports of push providers. */
type CommonPath = Exclude<OperationPath, "/dead-letter">;

/**
 * Every operation but those of {@linkcode reportOperations}, by path and method.
 *
 * @param providers The security schemes of push providers.
 * @param finalHeaders By status, which headers push providers read on a refusal for good.
 */
export function operations(
  providers: readonly string[],
  finalHeaders: FinalHeaders,
): Readonly<Record<CommonPath, Readonly<Record<string, JsonSchema>>>> {
  return {
    "/deliver": {
      post: {
        operationId: "deliver",
        summary: "Deliver messages, callbacks among them.",
        description:
          "One message as headers and a raw body, or a batch by its content type. A message " +
          "that comes again is known by its id.",
        security: anyOf("signature", ...providers, "bearer"),
        // A batch has them in its body.
        parameters: [...messageHeaders([]), REQUEST_ID],
        requestBody: {
          required: true,
          content: {
            [BATCH_CONTENT_TYPE]: { schema: schemaRef("Batch") },
            ...RAW_BODY.content,
          },
        },
        responses: {
          200: answerOf("What became of each message.", JSON_TYPE, DELIVERED),
          202: answerOf("It is stored, and handled later.", JSON_TYPE, DELIVERED),
          ...refusals([...COMMON, 404], JSON_TYPE),
          ...refusals([400, 403, 409, 489, 503], JSON_TYPE, REJECTED),
          ...finalRefusals(finalHeaders, JSON_TYPE, REJECTED),
        },
      },
    },
    "/publish": {
      post: {
        operationId: "publish",
        summary: "Publish a message, byte for byte.",
        description:
          "It is durable once this is answered, and is sent to its subscribers from then on. " +
          "With an id of one's own it may be said again: the same message is published once.",
        security: anyOf("bearer", "signature"),
        parameters: [...messageHeaders(["name"]), REQUEST_ID],
        requestBody: { required: true, ...RAW_BODY },
        responses: {
          200: answerOf("It was published before.", JSON_TYPE, schemaRef("Receipt")),
          201: answerOf("It is published.", JSON_TYPE, schemaRef("Receipt")),
          ...refusals([...COMMON, 404, 409], JSON_TYPE),
        },
      },
    },
    "/tick": {
      post: tick("tick", providers, finalHeaders),
      // It has no body that could break off.
      get: tick("tickByGet", providers, finalHeaders, COMMON.filter((status) => status !== 408)),
    },
    "/checkback": {
      post: own(
        "checkBack",
        "Ask what became of the business operation of a half message.",
        CHECKBACK_CONTENT_TYPE,
        { requests: "CheckQuestion", answers: "CheckAnswer" },
        { signs: { answer: "Signed" } },
      ),
    },
    "/half": {
      post: own(
        "half",
        "Prepare a half message, bring its outcome, or ask how it stands.",
        HALF_CONTENT_TYPE,
        { requests: "HalfRequest", answers: "HalfStatus" },
        { refuses: [404, 409], signs: { answer: "Signed", refusal: "SignedIfVerified" } },
      ),
    },
    "/query": {
      post: own(
        "query",
        "Ask how a message stands, and what it says.",
        QUERY_CONTENT_TYPE,
        { requests: "Query", answers: "Outcome" },
        { refuses: [404], signs: { answer: "SignedIfVerified" } },
      ),
    },
    "/health": { get: look("health", "Whether the process is alive.", schemaRef("Alive")) },
    "/ready": {
      get: look("ready", "Whether the bus can take messages.", schemaRef("Health"), [431, 500], {
        503: answerOf("It cannot.", JSON_TYPE, schemaRef("Health")),
      }),
    },
    "/openapi.json": { get: look("openApi", "This document.", { type: "object" }) },
  };
}

/**
 * The operation by which push providers report what they have dead-lettered.
 *
 * @param reports Their reports, as JSON Schemas.
 */
export function reportOperations(
  providers: readonly string[],
  reports: readonly JsonSchema[],
  finalHeaders: FinalHeaders,
): Readonly<Record<string, JsonSchema>> {
  const [report] = reports;
  return {
    post: {
      operationId: "deadLetter",
      summary: "Say that a push provider has given a message up.",
      description:
        "What the provider sends of its own accord. The transport names this address to it.",
      security: anyOf(...providers),
      parameters: [REQUEST_ID],
      requestBody: {
        required: true,
        content: { [JSON_TYPE]: { schema: reports.length === 1 ? report : { anyOf: reports } } },
      },
      responses: {
        200: answerOf("How the message stands.", JSON_TYPE, schemaRef("DeadLetterStanding")),
        // What only a verified push provider is refused is answered in its dialect.
        ...refusals(COMMON.filter((status) => status !== 400), JSON_TYPE),
        ...finalRefusals(finalHeaders, JSON_TYPE),
      },
    },
  };
}
