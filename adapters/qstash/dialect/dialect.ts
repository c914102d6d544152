/**
 * The dialect of QStash: which answers it understands, and how it reports failures.
 *
 * @module
 */
import type { DeliveryDialect } from "../../../core/ports/dialect.ts";
import { readDeadLetter } from "./dead_letter.ts";

/**
 * The dialect that `verifyQstash` brings along. A verifier of your own that accepts deliveries of QStash's
 * names it in its result.
 */
export const qstashDialect: DeliveryDialect = {
  name: "QStash",
  markHeader: "upstash-message-id",
  redelivers: true,
  deadLetters: true,
  // As long as a stop takes.
  stoppingRetryMs: 30_000,
  // QStash tries again after any other answer, and each attempt is paid for.
  finalAnswer: { status: 489, headers: { "upstash-nonretryable-error": "true" } },
  readDeadLetter,
};
