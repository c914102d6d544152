/**
 * The bodies of requests and responses as zod schemas. They are only for the document; the app has
 * its own parsers with better error messages.
 *
 * @module
 */
import * as z from "zod";
import { MAX_ID_LENGTH } from "../../core/message/id.ts";
import { MAX_NAME_LENGTH } from "../../core/message/name.ts";
import { MAX_BATCH_MESSAGES } from "../../core/wire/wire.ts";

const id = z.string().min(1).max(MAX_ID_LENGTH).describe("The message's id.");
const name = z.string().min(1).max(MAX_NAME_LENGTH).regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/)
  .describe("The message's name: tokens of letters, digits, _ and -, with dots between them.");
const milliseconds = z.number().min(0);
const attempts = z.int().min(1).describe("How many attempts in all.");

const message = z.object({
  headers: z.record(z.string(), z.string().nullable()).describe(
    "The message's headers, including cap-msg-id and cap-msg-name.",
  ),
  contentType: z.string().nullish().describe("The content type of the body, by default JSON."),
  body: z.string().optional().describe("The body as text; either this or bodyBase64."),
  bodyBase64: z.string().optional().describe("The body as bytes, in base64."),
}).describe("A message in JSON.");

const audience = z.string().optional().describe(
  "In a signed request: what it is for, the name of the route, after the name of a service and a " +
    "slash where its verifier wants one.",
);

const inReplyTo = z.string().optional().describe(
  "In a signed answer: the SHA-256 in hexadecimal of the request's webhook-id, a dot, its " +
    "webhook-timestamp, a dot, and its body.",
);

const batch = z.object({
  audience,
  messages: z.array(message).min(1).max(MAX_BATCH_MESSAGES),
});

const deliveryResult = z.object({
  id: z.string().nullable().describe("The message's id; null for one that could not be read."),
  status: z.enum([
    "accepted",
    "handled",
    "failed",
    "no_subscriber",
    "refused",
    "rejected",
    "malformed",
  ]).describe(
    "accepted: stored and handled later. handled: by this delivery or an earlier one. failed: stored " +
      "as failed, do not send it again. no_subscriber: no subscriber takes its name now. refused: " +
      "not accepted now, send it again. rejected: never accepted, and not stored here. malformed: " +
      "cannot be read.",
  ),
  reason: z.string().optional().describe("Why it was not accepted."),
  retryAfterMs: milliseconds.optional().describe("When to send it again, from now."),
  code: z.string().optional().describe(
    "The error code, for programs. stopping: the service is shutting down, and the sender " +
      "does not count the attempt. retry_after: a handler chose the time. rate_limit: a rate limit " +
      "was reached.",
  ),
  arrived: z.string().optional().describe(
    "unknown for a message that was not accepted, but may have taken effect nevertheless.",
  ),
});

const deliveryResults = z.object({
  results: z.array(deliveryResult).describe("One for each message, in their order."),
});

const receipt = z.object({
  id,
  duplicate: z.boolean().describe("Whether the same message was already stored."),
  state: z.string().optional().describe("Of a duplicate: the state of the first one."),
  dueAtMs: z.number().optional().describe("Of a duplicate: when the first one is or was due."),
});

const count = z.int().min(0);
const tickReport = z.object({
  received: count.describe(
    "Messages pulled from a transport that does not push.",
  ),
  sent: count.describe("Messages of the outbox that were sent."),
  handled: count.describe("Messages of the inbox that were handled."),
  checked: count.describe("Half messages that were checked."),
  failed: count.describe("Attempts that failed, in both boxes."),
  pruned: count.describe("Expired messages that were deleted."),
  nextDueAtMs: z.number().nullable().describe(
    "When the next work is due, in Unix milliseconds; null when nothing is scheduled.",
  ),
});

const alive = z.object({ status: z.literal("alive") });
const health = z.object({
  ready: z.boolean().describe("Whether it can take messages."),
  store: z.enum(["up", "down"]).describe("Whether its store answers."),
  running: z.boolean().describe(
    "Whether its loops run; false is normal where a cron job ticks.",
  ),
  reason: z.string().optional().describe("Why it is not ready."),
});

const state = z.enum([
  "prepared",
  "in_doubt",
  "scheduled",
  "succeeded",
  "failed",
  "cancelled",
]).describe("The state of a message of the outbox.");

const question = z.object({
  audience,
  id,
  name,
  epoch: z.int().min(0).describe("The epoch of the question; the answer applies only to it."),
  participant: z.string().min(1).describe("The participant that is asked."),
  preparedAtMs: milliseconds.describe("When the message was prepared, by the keeper's clock."),
  checkedAtMs: milliseconds.describe("When the question is asked, by the same clock."),
});

const checkAnswer = z.object({
  inReplyTo,
  id,
  epoch: z.int().min(0),
  answer: z.enum(["committed", "aborted", "unknown"]).describe(
    "The outcome of the operation. committed and aborted are final.",
  ),
});

const retryPolicy = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("cap"),
    immediateAttempts: z.int().min(0),
    pauseMs: milliseconds,
    intervalMs: milliseconds,
    maxAttempts: attempts,
  }),
  z.object({ kind: z.literal("fixed"), delayMs: milliseconds, maxAttempts: attempts }),
  z.object({
    kind: z.literal("exponential"),
    baseMs: milliseconds,
    factor: z.number().min(1).optional(),
    capMs: milliseconds,
    jitter: z.number().min(0).max(1).optional(),
    maxAttempts: attempts,
  }),
  z.object({ kind: z.literal("list"), delaysMs: z.array(milliseconds) }),
]).describe("When to try again after a failed attempt.");

const halfRequest = z.discriminatedUnion("operation", [
  z.object({
    audience,
    operation: z.literal("prepare"),
    message: message.describe(
      "The message, with the header atlast-participant, which names its participant.",
    ),
    deadlineMs: milliseconds.nullish().describe(
      "For how long after its sending time it may be delivered.",
    ),
    retry: retryPolicy.nullish(),
  }),
  z.object({
    audience,
    operation: z.enum(["confirm", "cancel", "query"]),
    id,
    participant: z.string().min(1).describe("The participant whose half message it is."),
  }),
]);

const halfStatus = z.object({
  inReplyTo,
  id,
  name,
  state,
});

const query = z.object({
  audience,
  operation: z.literal("query"),
  id,
  message: z.boolean().optional().describe("Whether to return the message itself too."),
});

const outcome = z.object({
  inReplyTo,
  id,
  name,
  state,
  message: message.optional().describe("The message, if it was requested and was sent or tried."),
});

const deadLetterStanding = z.object({
  id,
  standing: z.enum(["failed", "scheduled", "succeeded", "unknown"]).describe(
    "The state of the message now.",
  ),
});

/** The codes of refusals. Later versions may have more. */
const CODES = [
  "invalid_body",
  "invalid_header",
  "invalid_id",
  "invalid_name",
  "invalid_option",
  "malformed_message",
  "too_large",
  "truncated",
  "unsupported_media_type",
  "unauthenticated",
  "forbidden",
  "not_found",
  "no_route",
  "no_subscriber",
  "id_conflict",
  "wrong_state",
  "refused",
  "stopping",
  "retry_after",
  "rate_limit",
  "rejected",
  "sending",
  "unreachable",
  "stopped",
  "internal",
] as const;

const error = z.object({
  error: z.object({
    code: z.string().meta({
      description: "The error code, for programs.",
      examples: [...CODES],
    }),
    message: z.string().describe("What was attempted, the value, and what is allowed."),
    retryAfterMs: milliseconds.optional().describe("After how many milliseconds to retry."),
    final: z.boolean().optional().describe("Whether the same message would be refused each time."),
    requestId: z.string().optional().describe("The request's id in the service's log."),
  }),
  inReplyTo,
  results: z.array(deliveryResult).optional().describe(
    "The result of each message, for a batch of which none can be read.",
  ),
  id: id.optional().describe("Of a half message that was decided before this prepare: its id."),
  name: name.optional().describe("Of such a half message: its name."),
  state: state.optional().describe("Of such a half message: its state."),
});

/** The name of a schema of the document. */
export type SchemaName =
  | "Message"
  | "Batch"
  | "DeliveryResults"
  | "Receipt"
  | "TickReport"
  | "Alive"
  | "Health"
  | "State"
  | "CheckQuestion"
  | "CheckAnswer"
  | "RetryPolicy"
  | "HalfRequest"
  | "HalfStatus"
  | "Query"
  | "Outcome"
  | "DeadLetterStanding"
  | "Error";

/** Every schema by its name in the document. */
const SCHEMAS: Readonly<Record<SchemaName, z.ZodType>> = {
  Message: message,
  Batch: batch,
  DeliveryResults: deliveryResults,
  Receipt: receipt,
  TickReport: tickReport,
  Alive: alive,
  Health: health,
  State: state,
  CheckQuestion: question,
  CheckAnswer: checkAnswer,
  RetryPolicy: retryPolicy,
  HalfRequest: halfRequest,
  HalfStatus: halfStatus,
  Query: query,
  Outcome: outcome,
  DeadLetterStanding: deadLetterStanding,
  Error: error,
};

/** A JSON schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A reference to a schema of the document. */
export function schemaRef(schema: SchemaName): JsonSchema {
  return { $ref: refOf(schema) };
}

/** Every schema in the dialect of OpenAPI 3.1, which is JSON Schema 2020-12. */
export function jsonSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  // As input schemas, so that objects are open: a later version may add fields, which readers must
  // allow.
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: refOf });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

function refOf(id: string): string {
  return `#/components/schemas/${id}`;
}
