/**
 * Decides a half message by hand. The participant's fence decides: an operator may decide only where the
 * participant cannot answer, and may overrule it only after it was unreachable for some time.
 *
 * @module
 */
import { type CheckAnswer, FORCE_AFTER_MS } from "../../core/lifecycle/check_back.ts";
import { AtlastError } from "../../core/errors.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { checkParticipant } from "./check_participant.ts";
import type { HandDecision } from "../api/bus.ts";
import type { HandNote, OutboxKeeper } from "./outbox_keeper.ts";
import type { HalfStatus } from "../../core/ports/half_keeper.ts";
import type { Settings } from "../settings/settings.ts";

/** The longest name of an operator, and the longest reason, in characters. */
const MAX_BY_LENGTH = 200;
const MAX_REASON_LENGTH = 1000;

/** A decision on a record, for error texts. */
interface Attempt {
  readonly record: StoredRecord;
  readonly decision: "confirm" | "cancel";
  readonly hand: HandDecision;
}

/**
 * Decides a half message by hand; see `Bus.resolve`.
 *
 * @throws {AtlastError} `not_found`, `wrong_state`, `unreachable` or `invalid_option`.
 */
export async function resolveByHand<Tx>(
  settings: Settings<Tx>,
  keeper: OutboxKeeper<Tx>,
  id: string,
  decision: "confirm" | "cancel",
  hand: HandDecision,
): Promise<HalfStatus> {
  checkHand(decision, id, hand);
  const record = await keeper.find(id);
  if (record === null || !isResolvable(record, hand)) throw notResolvable(decision, id, record);
  const answer = await checkParticipant(settings, record, new AbortController().signal);
  const attempt = { record, decision, hand };
  mustNotContradict(attempt, answer);
  if (answer === "unreachable") mustBeForced(attempt, settings.clock.now());
  const note = noteOf(attempt, answer === "unreachable");
  return await keeper.decide(id, decision, { hand: note });
}

/**
 * Whether an operator may decide: a parked message, or with `force` one whose participant does not
 * answer.
 */
function isResolvable({ state, details }: StoredRecord, { force }: HandDecision): boolean {
  if (state === "in_doubt") return true;
  return state === "prepared" && force === true && details?.unreachableSinceMs !== undefined;
}

function mustNotContradict({ record, decision }: Attempt, answer: CheckAnswer): void {
  if (answer !== (decision === "confirm" ? "aborted" : "committed")) return;
  throw new AtlastError(
    "wrong_state",
    `Cannot ${decision} half message "${record.id}" by hand: its participant says that the operation is ` +
      `${answer}; want that carried out, by ${answer === "committed" ? "confirm" : "cancel"}`,
  );
}

function mustBeForced({ record, decision, hand }: Attempt, nowMs: number): void {
  const sinceMs = record.details?.unreachableSinceMs;
  const isForceable = sinceMs !== undefined && nowMs - sinceMs >= FORCE_AFTER_MS;
  if (hand.force === true && isForceable) return;
  const silent = sinceMs === undefined
    ? "does not answer"
    : `does not answer since ${new Date(sinceMs).toISOString()}`;
  const want = isForceable
    ? "force: true"
    : `it in reach, or force: true after ${
      FORCE_AFTER_MS / 60_000
    } minutes of checks without an answer`;
  const advice = record.state === "in_doubt"
    ? " (checkAgain() has a parked message checked again)"
    : "";
  throw new AtlastError(
    "unreachable",
    `Cannot ${decision} half message "${record.id}" by hand: its participant ${silent}; want ${want}${advice}`,
  );
}

function noteOf({ record, decision, hand }: Attempt, forced: boolean): HandNote {
  const verb = decision === "confirm" ? "Confirmed" : "Cancelled";
  const sinceMs = record.details?.unreachableSinceMs;
  const how = forced && sinceMs !== undefined
    ? ` by force, its participant unreachable since ${new Date(sinceMs).toISOString()}`
    : "";
  return { note: `${verb} by ${hand.by}${how}: ${hand.reason}`, forced };
}

function checkHand(decision: string, id: string, { by, reason }: HandDecision): void {
  const isText = (value: unknown, most: number): boolean =>
    typeof value === "string" && value.trim() !== "" && value.length <= most;
  if (isText(by, MAX_BY_LENGTH) && isText(reason, MAX_REASON_LENGTH)) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot ${decision} half message "${id}" by hand: want who decides (by) and why (reason), ` +
      `up to ${MAX_BY_LENGTH} and ${MAX_REASON_LENGTH} characters`,
  );
}

function notResolvable(decision: string, id: string, record: StoredRecord | null): AtlastError {
  return new AtlastError(
    record === null ? "not_found" : "wrong_state",
    `Cannot ${decision} half message "${id}" by hand: got ${
      record === null ? "none with this id" : `one that is ${record.state}`
    }, want one in_doubt, or one whose participant does not answer and force: true`,
  );
}
