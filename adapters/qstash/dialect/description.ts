/**
 * The dialect of QStash, described for the OpenAPI document of an edge app.
 *
 * @module
 */
import type { DialectDescription } from "../../../core/ports/dialect_description.ts";

/** The value of a header as QStash reports it. */
const HEADER_VALUE = {
  anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
};

/** The description of QStash's dialect, for the option `dialects` of `openApiDocument`. */
export const qstashDescription: DialectDescription = {
  name: "QStash",
  security: {
    scheme: "qstash",
    definition: {
      type: "apiKey",
      in: "header",
      name: "upstash-signature",
      description: "QStash's signature, a token over the URL and the body.",
    },
  },
  finalStatus: 489,
  finalHeaders: {
    "upstash-nonretryable-error": {
      description: "Tells QStash not to try again.",
      schema: { type: "string", const: "true" },
    },
  },
  deadLetter: {
    type: "object",
    description: "QStash's report of a dead-lettered message. It may have more fields.",
    required: ["dlqId"],
    properties: {
      dlqId: { type: "string", description: "The id of the message in QStash's DLQ." },
      sourceHeader: {
        type: "object",
        description: "The headers it was published with, including its id.",
        additionalProperties: HEADER_VALUE,
      },
      sourceBody: { type: "string", description: "The body it was published with, in base64." },
      status: { type: "number", description: "The last status of its destination." },
      header: { type: "object", additionalProperties: HEADER_VALUE },
      body: { type: "string" },
      url: { type: "string" },
      retried: { type: "number" },
    },
  },
};
