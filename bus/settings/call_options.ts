/**
 * Checks what the methods of a bus are called with.
 *
 * @module
 */
import {
  aFlag,
  aFunction,
  aList,
  anId,
  aNumber,
  anything,
  aRecord,
  aText,
  checkFields,
  checkOptions,
  isRecord,
  MILLISECONDS,
  oneOf,
} from "../../core/check_options.ts";
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkName } from "../../core/message/name.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { CheckQuestion } from "../../core/ports/fence.ts";
import type { HandDecision, WhichMessage } from "../api/bus.ts";
import type { DeadLetter } from "../api/dead_letter.ts";
import type { HealthOptions } from "../api/health.ts";
import type { Move } from "../api/orphans.ts";

const DEFAULT_BUDGET_MS = 10_000;
const DEFAULT_DRAIN_MS = 30_000;

const TIME = aNumber(MILLISECONDS);

/**
 * The budget of a tick or a flush, in milliseconds.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function budgetOf(action: string, options: { readonly budgetMs?: number } = {}): number {
  checkOptions(`${action} with`, options, { budgetMs: TIME });
  return options.budgetMs ?? DEFAULT_BUDGET_MS;
}

/**
 * The drain time of a stop, in milliseconds.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function drainOf(options: { readonly drainMs?: number } = {}): number {
  checkOptions("stop with", options, { drainMs: TIME });
  return options.drainMs ?? DEFAULT_DRAIN_MS;
}

/**
 * The greatest age of the health of the store, in milliseconds.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function maxAgeOf(options: HealthOptions = {}): number {
  checkOptions("check the health with", options, { maxAgeMs: TIME });
  return options.maxAgeMs ?? 0;
}

/** What `Bus.retry` was called with. */
interface Retry {
  readonly box: Box;
  readonly id: string;
  readonly group: string;
  readonly force: boolean;
}

/**
 * Reads what `Bus.retry` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function retryOf(
  message: WhichMessage,
  options: { readonly force?: boolean } = {},
): Retry {
  const required = { box: oneOf("outbox", "inbox"), id: anId };
  checkFields("retry a message with", message, { group: aText }, required);
  checkOptions("retry a message with", options, { force: aFlag });
  return {
    box: message.box,
    id: message.id,
    group: message.group ?? "",
    force: options.force ?? false,
  };
}

/**
 * The transaction in which a message is cancelled; undefined for none.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function transactionOf<Tx>(options: { readonly tx?: Tx } = {}): Tx | undefined {
  checkOptions("cancel a message with", options, { tx: anything });
  return options.tx;
}

/**
 * Reads what `Bus.sendNow` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function sendNowOf(message: WhichMessage | string): Required<WhichMessage> {
  const which = isRecord(message)
    ? message as WhichMessage
    : { box: "outbox", id: message as string } as const;
  const required = { box: oneOf("outbox", "inbox"), id: anId };
  checkFields("send a message now with", which, { group: aText }, required);
  return { box: which.box, id: which.id, group: which.group ?? "" };
}

/** The most messages that one call moves. */
const MAX_MOVED = 1_000;

/**
 * Reads what `Bus.moveToGroup` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function moveOf(move: Move): Required<Move> {
  const limit = aNumber({ whole: true, least: 1, most: MAX_MOVED });
  const attempt = "move messages with";
  checkOptions(attempt, move, { limit }, { name: aText, from: aText, to: aText });
  const { name, from, to } = move;
  checkName(name);
  for (const group of [from, to]) checkText("a group", group, IDENTIFIER);
  if (from === to) {
    throw new AtlastError(
      "invalid_option",
      `Cannot ${attempt} from "${from}" and to "${to}": want two groups`,
    );
  }
  return { name, from, to, limit: move.limit ?? MAX_MOVED };
}

/**
 * Checks what `Bus.deadLetter` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function checkDeadLetter(report: DeadLetter): void {
  const table = {
    isPublisherNotified: aFlag,
    message: aRecord,
    proof: aText,
    saidAtMs: aNumber({ least: 0 }),
  };
  checkFields("take back a message with", report, table, { id: anId, reason: aText });
}

/**
 * Checks what `Bus.resolve` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function checkResolve(id: string, decision: string, by: HandDecision): void {
  const attempt = "decide a half message with";
  anId("id", id, attempt);
  oneOf("confirm", "cancel")("decision", decision, attempt);
  checkOptions(attempt, by, { by: anything, reason: anything, force: aFlag });
}

/**
 * Checks what `Bus.checkBack` was called with.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_id`.
 */
export function checkQuestion(question: CheckQuestion): void {
  checkFields("answer a check-back with", question, {}, { id: anId });
}

/**
 * Checks that `Bus.deliver` was called with a list. Each message is checked where it is taken.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkDelivered(messages: unknown): void {
  aList()("messages", messages, "deliver");
}

/**
 * Checks the work of a transaction.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkWork(work: unknown, attempt: string): void {
  aFunction("work", work, attempt);
}
