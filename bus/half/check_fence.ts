/**
 * Asks a fence to decide a half message, within a time limit.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import type { CheckQuestion, Fence } from "../../core/ports/fence.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { checkAnswer } from "../settings/check_answers.ts";
import { withinTime } from "../async/deadline.ts";

/** How long a fence may take to answer by default, in milliseconds. */
const FENCE_TIMEOUT_MS = 5_000;

/**
 * Makes the fence ready and asks it for the outcome.
 *
 * @throws {AtlastError} `timeout`; errors of the fence pass through.
 */
export async function checkFence(
  fence: Fence,
  question: CheckQuestion,
  clock: Clock,
  timeoutMs: number = FENCE_TIMEOUT_MS,
): Promise<CheckAnswer> {
  return await withinTime(clock, timeoutMs, "The fence did not answer", async (signal) => {
    await fence.ready();
    return checkAnswer(await fence.check(question, signal), (error) => {
      throw error;
    });
  });
}
