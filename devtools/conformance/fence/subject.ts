/**
 * What the fence cases are run on, and the few things they all do to it.
 *
 * @module
 */
import type { CheckAnswer } from "../../../core/lifecycle/check_back.ts";
import type { Fence } from "../../../core/ports/fence.ts";
import type { Cases } from "../suite.ts";

/** A fence under test. */
export interface FenceSubject {
  /** The fence, empty and ready. */
  readonly fence: Fence;
  /** The same fence as another process would have it; the fence itself where there can be no other. */
  readonly peer: Fence;
  /** Writes business data within a transaction of the fence. */
  write(tx: unknown, id: string): Promise<void>;
  /** The business data that has committed. */
  written(): Promise<string[]>;
}

/** Cases for fences. */
export type FenceCases = Cases<FenceSubject>;

/** When the cases take place. */
export const NOW = 1_800_000_000_000;

/** Checks what became of an operation. */
export function checkBack(fence: Fence, id = "m-1", signal?: AbortSignal): Promise<CheckAnswer> {
  return fence.check(
    { id, name: "order.placed", epoch: 1 },
    signal ?? new AbortController().signal,
  );
}

/** Runs an operation that writes business data behind the fence. */
export function operate(
  { fence, write }: FenceSubject,
  id = "m-1",
  more: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  return fence.transaction(async (tx) => {
    await fence.commit(id, NOW, tx);
    await write(tx, id);
    await more();
  });
}

/** An operation that is open until `end` is called. */
interface OpenOperation {
  /** Lets it commit, and waits for that. */
  end(): Promise<void>;
}

/** Begins an operation that has written all it has to, and stays open. */
export async function openOperation(subject: FenceSubject): Promise<OpenOperation> {
  let end = () => {};
  const mayEnd = new Promise<void>((resolve) => end = resolve);
  let operation = Promise.resolve();
  await new Promise<void>((begun, failed) => {
    operation = operate(subject, "m-1", () => {
      begun();
      return mayEnd;
    });
    operation.catch(failed);
  });
  return {
    end() {
      end();
      return operation;
    },
  };
}

/** An operation that writes all it has to, and then rolls back. */
export function failToOperate(subject: FenceSubject, id = "m-1"): Promise<void> {
  return operate(subject, id, () => Promise.reject(new Error("declined")));
}
