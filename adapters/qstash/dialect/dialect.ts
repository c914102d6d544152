/**
 * The dialect of QStash: which answers it understands, and how it reports failures.
 *
 * @module
 */
import type { DeliveryDialect } from "../../../core/ports/dialect.ts";
import { readDeadLetter } from "./dead_letter.ts";

/**
 * The dialect of `verifyQstash`. A custom verifier that accepts deliveries of QStash returns it in its
 * result.
 */
export const qstashDialect: DeliveryDialect = {
  name: "QStash",
  markHeader: "upstash-message-id",
  redelivers: true,
  deadLetters: true,
  // The duration of a stop.
  stoppingRetryMs: 30_000,
  // QStash retries after any other answer, and bills each attempt.
  finalAnswer: { status: 489, headers: { "upstash-nonretryable-error": "true" } },
  readDeadLetter,
};
