/**
 * The dialect of QStash: what it understands of an answer, and what it reports.
 *
 * @module
 */
import type { DeliveryDialect } from "../../../core/ports/dialect.ts";
import { readDeadLetter } from "./dead_letter.ts";
import { translateRefusal } from "./refusal.ts";

/** The HTTP header that QStash gives each message it delivers. */
const ID_HEADER = "upstash-message-id";

/** As long as a stop takes. */
const STOPPING_RETRY_MS = 30_000;

/**
 * The dialect that `verifyQstash` brings along. A verifier of your own that accepts deliveries of QStash's
 * names it in its result.
 */
export const qstashDialect: DeliveryDialect = {
  claims: (headers) => headers.get(ID_HEADER) !== null,
  redelivers: true,
  deadLetters: true,
  stoppingRetryMs: STOPPING_RETRY_MS,
  translateRefusal,
  readDeadLetter,
};
