/**
 * The participant's part of a half message: it runs the business operation and sends its outcome to the keeper.
 *
 * @module
 */
import type { HalfMessage, HalfOutcome } from "../api/half_message.ts";
import { AtlastError } from "../../core/errors.ts";
import type { State } from "../../core/lifecycle/lifecycle.ts";
import { type CheckAnswer, isUndecided } from "../../core/lifecycle/check_back.ts";
import type { CheckQuestion, Fence } from "../../core/ports/fence.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { checkFence } from "./check_fence.ts";
import type { HalfDraft, HalfKeeper } from "../../core/ports/half_keeper.ts";

/** What the participant needs. */
export interface HalfParts<BusinessTx> {
  readonly keeper: HalfKeeper;
  /** The fence in the business database; undefined for a participant that has none. */
  readonly fence: Fence<BusinessTx> | undefined;
  readonly clock: Clock;
}

/** Prepares a half message. */
export async function prepareHalf<BusinessTx>(
  parts: HalfParts<BusinessTx>,
  draft: HalfDraft,
): Promise<HalfMessage<BusinessTx>> {
  const fence = fenceOf(parts);
  const { id, name } = draft.message;
  const { state } = await parts.keeper.prepare(draft);
  const earlier = earlierOutcome(state);
  const confirm = () => settled(parts, id, "committed");
  if (earlier !== null) {
    // The fence's row may have been pruned, so the fence would let the operation commit. Do not ask
    // it.
    const cancel = () => Promise.resolve(outcomeOf(id, earlier));
    return { id, state, fence: () => Promise.reject(tooLate(id, state)), confirm, cancel };
  }
  return {
    id,
    state,
    fence: (tx) => fence.commit(id, parts.clock.now(), tx),
    confirm,
    cancel: () => decided(parts, { id, name, epoch: 0 }),
  };
}

/**
 * Runs the business operation of a prepared half message behind the fence, and settles the message.
 * Never throws.
 */
export async function transactHalf<BusinessTx, Result>(
  parts: HalfParts<BusinessTx>,
  half: HalfMessage<BusinessTx>,
  work: (tx: BusinessTx) => Promise<Result>,
): Promise<HalfOutcome<Result>> {
  const earlier = earlierOutcome(half.state);
  if (earlier !== null) return outcomeOf(half.id, earlier);
  let result: Result;
  try {
    result = await fenceOf(parts).transaction(async (tx) => {
      await half.fence(tx);
      return await work(tx);
    });
  } catch (error) {
    // An error does not mean that the operation failed: it may have committed, and only the answer
    // was lost. The fence decides.
    return { ...await half.cancel(), error };
  }
  return { ...await half.confirm(), result } as HalfOutcome<Result>;
}

/** The outcome of a message that was decided before; null if it is undecided. */
function earlierOutcome(state: State): "committed" | "aborted" | null {
  if (isUndecided(state)) return null;
  return state === "cancelled" ? "aborted" : "committed";
}

/** The result for an outcome that the keeper knows already. */
function outcomeOf(
  id: string,
  outcome: "committed" | "aborted",
): HalfOutcome<undefined> & { readonly outcome: "committed" | "aborted" } {
  if (outcome === "aborted") return { outcome, id, settled: true };
  return { outcome, id, settled: true, result: undefined };
}

function tooLate(id: string, state: State): AtlastError {
  return new AtlastError(
    "fenced_off",
    `Cannot run the operation of half message "${id}": it is ${state}, want the transaction rolled back`,
  );
}

/** The fence of the participant. */
function fenceOf<BusinessTx>({ fence }: HalfParts<BusinessTx>): Fence<BusinessTx> {
  if (fence === undefined) {
    throw new AtlastError(
      "unsupported",
      "Cannot prepare a half message without a fence: want one in the options, in the business database",
    );
  }
  return fence;
}

/** Asks the fence for the outcome, and sends it to the keeper. */
async function decided<BusinessTx>(
  parts: HalfParts<BusinessTx>,
  question: CheckQuestion,
): Promise<HalfOutcome> {
  let answer: CheckAnswer;
  try {
    answer = await checkFence(fenceOf(parts) as Fence, question, parts.clock);
  } catch (error) {
    return { outcome: "in_doubt", id: question.id, error };
  }
  if (answer === "committed" || answer === "aborted") {
    return await settled(parts, question.id, answer);
  }
  return { outcome: "in_doubt", id: question.id };
}

async function settled<BusinessTx>(
  { keeper }: HalfParts<BusinessTx>,
  id: string,
  outcome: "committed" | "aborted",
): Promise<HalfOutcome> {
  const settling = outcome === "committed" ? keeper.confirm(id) : keeper.cancel(id);
  const error = await settling.then(() => undefined, (thrown: unknown) => thrown ?? "unknown");
  const contradicted = isForGood(error);
  const end = {
    id,
    settled: error === undefined || contradicted,
    ...(contradicted ? { contradicted } : {}),
    ...(error === undefined ? {} : { error }),
  };
  return outcome === "committed" ? { outcome, result: undefined, ...end } : { outcome, ...end };
}

/**
 * Whether the keeper refuses an outcome for good: it decided the message otherwise, or no longer
 * has it.
 */
function isForGood(error: unknown): error is AtlastError {
  return hasCode(error, "wrong_state") || hasCode(error, "not_found");
}
