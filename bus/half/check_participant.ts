/**
 * Asks the participant of a half message for the outcome of its business operation. For its own messages the
 * bus asks its fence; for those of other services it sends a check-back.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { AbortSignalLike } from "../../core/ports/platform.ts";
import type { CheckBack } from "../../core/ports/fence.ts";
import { checkAnswer } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import { withinTime } from "../async/deadline.ts";

/** Asks the participant of a record, within a time limit. Never throws: an error counts as `unreachable`. */
export async function checkParticipant<Tx>(
  settings: Settings<Tx>,
  record: StoredRecord,
  signal: AbortSignalLike,
): Promise<CheckAnswer> {
  const { clock, checkTimeoutMs, observe } = settings;
  const report = (error: unknown) => observe({ kind: "error", during: "check-back", error });
  try {
    const { id, epoch, message } = record;
    const participant = message.headers[HEADER.participant];
    const checkBack = checkBackOf(settings, participant);
    const question = {
      id,
      name: message.name,
      epoch,
      ...(participant === undefined ? {} : { participant }),
      preparedAtMs: message.sentAtMs,
      checkedAtMs: clock.now(),
    };
    const answer = await withinTime(
      clock,
      checkTimeoutMs,
      "The participant did not answer",
      (limited) => checkBack.check(question, limited),
      signal,
    );
    return checkAnswer(answer, report);
  } catch (error) {
    report(error);
    return "unreachable";
  }
}

function checkBackOf<Tx>(
  { fence, checkBacks }: Settings<Tx>,
  participant: string | undefined,
): CheckBack {
  const found = participant === undefined ? fence : checkBacks.get(participant);
  if (found !== undefined) return found;
  throw new AtlastError(
    "no_route",
    participant === undefined
      ? "Cannot ask for the outcome of a half message: want a fence in the options of the bus"
      : `Cannot ask participant "${participant}": want it among the checkBacks of the bus`,
  );
}
