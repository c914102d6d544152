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

/** The statuses with which any request with a body may be refused. */
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
    summary: "Do the due background work.",
    security: anyOf("bearer", "signature", ...providers),
    parameters: [BUDGET, REQUEST_ID],
    responses: {
      200: answerOf("What the tick did.", JSON_TYPE, schemaRef("TickReport")),
      ...refusals(refuses, JSON_TYPE),
      ...finalRefusals(finalHeaders, JSON_TYPE),
    },
  };
}

/** A read operation without authentication. */
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

/** The headers of a refusal of a message that could be read. */
const REJECTED = { "atlast-publisher-notified": "PublisherNotified", "atlast-arrived": "Arrived" };

const DELIVERED = schemaRef("DeliveryResults");

/** Every path except that for reports of push providers. */
type CommonPath = Exclude<OperationPath, "/dead-letter">;

/**
 * Every operation except those of {@linkcode reportOperations}, by path and method.
 *
 * @param providers The security schemes of push providers.
 * @param finalHeaders By status, which headers push providers read on a final refusal.
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
          "that is delivered again is recognised by its id.",
        security: anyOf("signature", ...providers, "bearer"),
        // A batch has the message headers in its body.
        parameters: [...messageHeaders([]), REQUEST_ID],
        requestBody: {
          required: true,
          content: {
            [BATCH_CONTENT_TYPE]: { schema: schemaRef("Batch") },
            ...RAW_BODY.content,
          },
        },
        responses: {
          200: answerOf("The result of each message.", JSON_TYPE, DELIVERED),
          202: answerOf("It is stored and will be handled later.", JSON_TYPE, DELIVERED),
          422: answerOf(
            "Its body does not fit the contract, or its handler failed for good: it is stored as failed, " +
              "do not send it again. An app without a store answers with the error.",
            JSON_TYPE,
            { anyOf: [DELIVERED, schemaRef("Error")] },
          ),
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
          "It is durable when the response arrives, and is sent to its subscribers from then on. " +
          "With your own id you may repeat the request: the message is published once.",
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
      // It has no body that could be cut off.
      get: tick("tickByGet", providers, finalHeaders, COMMON.filter((status) => status !== 408)),
    },
    "/checkback": {
      post: own(
        "checkBack",
        "Ask for the outcome of the business operation of a half message.",
        CHECKBACK_CONTENT_TYPE,
        { requests: "CheckQuestion", answers: "CheckAnswer" },
        { signs: { answer: "Signed" } },
      ),
    },
    "/half": {
      post: own(
        "half",
        "Prepare, confirm, cancel or query a half message.",
        HALF_CONTENT_TYPE,
        { requests: "HalfRequest", answers: "HalfStatus" },
        { refuses: [404, 409], signs: { answer: "Signed", refusal: "SignedIfVerified" } },
      ),
    },
    "/query": {
      post: own(
        "query",
        "Query the state of a message, and the message itself.",
        QUERY_CONTENT_TYPE,
        { requests: "Query", answers: "Outcome" },
        { refuses: [404], signs: { answer: "SignedIfVerified" } },
      ),
    },
    "/health": { get: look("health", "Whether the process is alive.", schemaRef("Alive")) },
    "/ready": {
      get: look("ready", "Whether the bus can take messages.", schemaRef("Health"), [431, 500], {
        503: answerOf("The bus cannot take messages.", JSON_TYPE, schemaRef("Health")),
      }),
    },
    "/openapi.json": { get: look("openApi", "This document.", { type: "object" }) },
  };
}

/**
 * The operation with which push providers report dead-lettered messages.
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
      summary: "Report that a push provider has dead-lettered a message.",
      description:
        "The provider sends this request by itself. The transport gives it this address.",
      security: anyOf(...providers),
      parameters: [REQUEST_ID],
      requestBody: {
        required: true,
        content: { [JSON_TYPE]: { schema: reports.length === 1 ? report : { anyOf: reports } } },
      },
      responses: {
        200: answerOf("The state of the message.", JSON_TYPE, schemaRef("DeadLetterStanding")),
        // Refusals that only a verified push provider gets are in its dialect.
        ...refusals(COMMON.filter((status) => status !== 400), JSON_TYPE),
        ...finalRefusals(finalHeaders, JSON_TYPE),
      },
    },
  };
}
