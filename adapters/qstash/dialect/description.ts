/**
 * The dialect of QStash, described for the OpenAPI document of an edge app.
 *
 * @module
 */
import type { DialectDescription } from "../../../core/ports/dialect_description.ts";

/** The value of a header as QStash shows it. */
const HEADER_VALUE = {
  anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
};

/** What QStash's dialect says of itself, for the option `dialects` of `openApiDocument`. */
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
      description: "Tells QStash that another attempt would be in vain.",
      schema: { type: "string", const: "true" },
    },
  },
  deadLetter: {
    type: "object",
    description: "What QStash says of a message that it has given up; it says more than that.",
    required: ["dlqId"],
    properties: {
      dlqId: { type: "string", description: "By which QStash's DLQ has the message." },
      sourceHeader: {
        type: "object",
        description: "The headers it was published with, its id among them.",
        additionalProperties: HEADER_VALUE,
      },
      sourceBody: { type: "string", description: "The body it was published with, in base64." },
      status: { type: "number", description: "What its destination answered last." },
      header: { type: "object", additionalProperties: HEADER_VALUE },
      body: { type: "string" },
      url: { type: "string" },
      retried: { type: "number" },
    },
  },
};
