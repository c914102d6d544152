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
import { checkAnswer } from "../settings/checked_answers.ts";
import type { Settings } from "../settings/settings.ts";
import { timeLimit } from "../async/deadline.ts";

/** Asks the participant of a record, within a time limit. Never throws: an error counts as `unreachable`. */
export async function askParticipant<Tx>(
  settings: Settings<Tx>,
  record: StoredRecord,
  signal: AbortSignalLike,
): Promise<CheckAnswer> {
  const { clock, checkTimeoutMs, observe } = settings;
  const limit = timeLimit(
    clock,
    checkTimeoutMs,
    signal,
    () => new AtlastError("timeout", `The active side did not answer within ${checkTimeoutMs} ms`),
  );
  try {
    const { id, epoch, message } = record;
    const side = message.headers[HEADER.activeSide];
    const checkBack = checkBackOf(settings, side);
    const question = {
      id,
      name: message.name,
      epoch,
      ...(side === undefined ? {} : { side }),
      preparedAtMs: message.sentAtMs,
      askedAtMs: clock.now(),
    };
    const answer = await limit.race(() => checkBack.ask(question, limit.signal));
    return checkAnswer(
      answer,
      (error) => observe({ kind: "error", during: "check-back", error }),
    );
  } catch (error) {
    observe({ kind: "error", during: "check-back", error });
    return "unreachable";
  } finally {
    limit.end();
  }
}

function checkBackOf<Tx>(
  { fence, checkBacks }: Settings<Tx>,
  side: string | undefined,
): CheckBack {
  const found = side === undefined ? fence : checkBacks.get(side);
  if (found !== undefined) return found;
  throw new AtlastError(
    "no_route",
    side === undefined
      ? "Cannot ask for the outcome of a half message: want a fence in the options of the bus"
      : `Cannot ask active side "${side}": want it among the checkBacks of the bus`,
  );
}
