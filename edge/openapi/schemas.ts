/**
 * The bodies of requests and responses as zod schemas. They only describe: the app has parsers of its own, with
 * better error messages.
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
    "The message's headers, cap-msg-id and cap-msg-name among them.",
  ),
  contentType: z.string().nullish().describe("Of the body; JSON if not given."),
  body: z.string().optional().describe("The body as text; either this or bodyBase64."),
  bodyBase64: z.string().optional().describe("The body as bytes, in base64."),
}).describe("A message in JSON.");

const batch = z.object({ messages: z.array(message).min(1).max(MAX_BATCH_MESSAGES) });

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
    "accepted: stored, and handled later. handled: by this delivery or an earlier one. failed: stored " +
      "as failed, and not to be sent again. no_subscriber: nothing here takes its name now. refused: " +
      "not taken now, to be sent again. rejected: never to be taken, and not kept here. malformed: " +
      "cannot be read.",
  ),
  reason: z.string().optional().describe("Why it was not taken."),
  retryAfterMs: milliseconds.optional().describe("When to send it again, from now."),
  code: z.string().optional().describe(
    "What kind of refusal it is, for a program. stopping: the service is shutting down, and the sender " +
      "counts no attempt.",
  ),
  arrived: z.string().optional().describe(
    "unknown for one that was not taken, but may have taken effect all the same.",
  ),
});

const deliveryResults = z.object({
  results: z.array(deliveryResult).describe("One for each message, in their order."),
});

const receipt = z.object({
  id,
  duplicate: z.boolean().describe("Whether this very message was there already."),
  state: z.string().optional().describe("Where the first one stands, of a duplicate."),
  dueAtMs: z.number().optional().describe("When the first one is or was due, of a duplicate."),
});

const count = z.int().min(0);
const tickReport = z.object({
  received: count.describe(
    "Messages fetched, from a transport that does not bring them by itself.",
  ),
  sent: count.describe("Messages of the outbox that were sent."),
  handled: count.describe("Messages of the inbox that were handled."),
  checked: count.describe("Half messages that were asked about."),
  failed: count.describe("Attempts that failed, on both sides."),
  pruned: count.describe("Expired messages that were deleted."),
  nextDueAtMs: z.number().nullable().describe(
    "When there is work again, in Unix milliseconds; null when nothing is scheduled.",
  ),
});

const alive = z.object({ status: z.literal("alive") });
const health = z.object({
  ready: z.boolean().describe("Whether it can take messages."),
  store: z.enum(["up", "down"]).describe("Whether its store answers."),
  running: z.boolean().describe(
    "Whether its loops run; false is well where ticks come from outside.",
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
]).describe("Where a message of the outbox stands.");

const question = z.object({
  id,
  name,
  epoch: z.int().min(0).describe("The answer is to this one alone."),
  participant: z.string().min(1).describe("The participant that is asked."),
  preparedAtMs: milliseconds.describe("When the message was prepared, by the keeper's clock."),
  checkedAtMs: milliseconds.describe("When this is asked, by the same clock."),
});

const checkAnswer = z.object({
  id,
  epoch: z.int().min(0),
  answer: z.enum(["committed", "aborted", "unknown"]).describe(
    "What became of the operation. committed and aborted are final.",
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
    operation: z.literal("prepare"),
    message: message.describe("With the header atlast-participant, which says who decides it."),
    deadlineMs: milliseconds.nullish().describe(
      "How long it is worth sending, from its sending time.",
    ),
    retry: retryPolicy.nullish(),
  }),
  z.object({
    operation: z.enum(["confirm", "cancel", "query"]),
    id,
    participant: z.string().min(1).describe("The participant whose half message it is."),
  }),
]);

const halfStatus = z.object({
  id,
  name,
  state,
});

const query = z.object({
  operation: z.literal("query"),
  id,
  message: z.boolean().optional().describe("Whether the message itself is wanted too."),
});

const outcome = z.object({
  id,
  name,
  state,
  message: message.optional().describe("If it was asked for, and was sent or tried."),
});

const deadLetterStanding = z.object({
  id,
  standing: z.enum(["failed", "scheduled", "succeeded", "unknown"]).describe(
    "How the message stands now.",
  ),
});

/** What a refusal may be; a later version may have more. */
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
  "rejected",
  "sending",
  "unreachable",
  "stopped",
  "internal",
] as const;

const error = z.object({
  error: z.object({
    code: z.string().meta({
      description: "What kind of refusal it is, for a program.",
      examples: [...CODES],
    }),
    message: z.string().describe("What was done, what was got and what is wanted."),
    retryAfterMs: milliseconds.optional().describe("When to come again, from now."),
    final: z.boolean().optional().describe("Whether the same message would be refused each time."),
    requestId: z.string().optional().describe("By which the service's own log tells more."),
  }),
});

/** Every schema by the name it has in the document. */
const SCHEMAS = {
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
} as const;

/** The name of a schema of the document. */
export type SchemaName = keyof typeof SCHEMAS;

/** A schema in JSON. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Where a schema stands in the document. */
export function schemaRef(schema: SchemaName): JsonSchema {
  return { $ref: refOf(schema) };
}

/** Every schema in the dialect of OpenAPI 3.1, which is JSON Schema 2020-12. */
export function jsonSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  // As input, so that objects are open: a later version may say more, and readers must let it.
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: refOf });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

function refOf(id: string): string {
  return `#/components/schemas/${id}`;
}
