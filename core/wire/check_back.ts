/**
 * Check-back over HTTP: encodes and reads the question and its answer. The keeper and the
 * participant use it.
 *
 * Both are JSON of the type `application/vnd.atlast.checkback+json` and signed. The answer says in `inReplyTo`
 * which request it answers.
 *
 * @module
 */
import type { CheckAnswer } from "../lifecycle/check_back.ts";
import { AtlastError } from "../errors.ts";
import { checkId } from "../message/id.ts";
import { isObject, parsed } from "../json.ts";
import { checkName } from "../message/name.ts";
import type { CheckQuestion } from "../ports/fence.ts";
import { END_OF_TIME_MS } from "../lifecycle/retry.ts";

/** A question on the wire. It always has the name of the participant. */
export type WireQuestion = Required<CheckQuestion>;

/**
 * An answer on the wire. `unreachable` is not among them, because it means that there was no
 * answer.
 */
type WireCheckAnswer = Exclude<CheckAnswer, "unreachable">;

/** A question in JSON. */
export function questionText(
  { id, name, epoch, participant, preparedAtMs, checkedAtMs }: WireQuestion,
): string {
  return JSON.stringify({
    id,
    name,
    epoch,
    participant,
    preparedAtMs,
    checkedAtMs,
  });
}

/**
 * Reads a question.
 *
 * @throws {AtlastError} `malformed_message`, `invalid_id` or `invalid_name`.
 */
export function readQuestion(text: string): WireQuestion {
  const question = parsed(text);
  if (isObject(question)) {
    const { id, name, epoch, participant, preparedAtMs, checkedAtMs } = question;
    if (
      typeof id === "string" && typeof name === "string" && typeof participant === "string" &&
      isEpoch(epoch) && isTime(preparedAtMs) && isTime(checkedAtMs)
    ) {
      checkId(id);
      checkName(name);
      return { id, name, epoch, participant, preparedAtMs, checkedAtMs };
    }
  }
  throw new AtlastError(
    "malformed_message",
    `Cannot read a check-back: want {"id":"…","name":"…","epoch":0,"participant":"…",` +
      `"preparedAtMs":0,"checkedAtMs":0}`,
  );
}

/** An answer to a question, in JSON. */
export function answerText({ id, epoch }: WireQuestion, answer: WireCheckAnswer): string {
  return JSON.stringify({ id, epoch, answer });
}

/** Reads an answer; null if it does not belong to this question. */
export function readAnswer(text: string, question: WireQuestion): WireCheckAnswer | null {
  const said = parsed(text);
  if (!isObject(said) || said["id"] !== question.id || said["epoch"] !== question.epoch) {
    return null;
  }
  const { answer } = said;
  return answer === "committed" || answer === "aborted" || answer === "unknown" ? answer : null;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= END_OF_TIME_MS;
}

function isEpoch(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
