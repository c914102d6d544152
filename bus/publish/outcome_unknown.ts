/**
 * Adds the message ids to an error of a store that did not answer, so that the caller can repeat the publish
 * safely.
 *
 * @module
 */
import { isKind, markKind } from "../../core/error_kinds.ts";
import { AtlastError } from "../../core/errors.ts";
import { isInstance } from "../../core/user_code/thrown.ts";

/**
 * The store did not confirm whether it stored the messages. Publishing them again with the same ids
 * is safe: messages that were stored are answered as duplicates.
 */
export class OutcomeUnknown extends AtlastError {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "OutcomeUnknown";

  static {
    markKind(OutcomeUnknown, "OutcomeUnknown");
  }

  /** Whether a value is such an error, of this copy of the library or of another. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(this, OutcomeUnknown, "OutcomeUnknown", value);
  }

  /** The ids of the messages. */
  readonly ids: readonly string[];

  /** Creates the error for messages, with the store's error as its cause. */
  constructor(ids: readonly string[], cause: unknown) {
    const [id] = ids;
    super(
      "outcome_unknown",
      `Cannot tell whether ${
        ids.length === 1 ? `message "${id}" was` : `${ids.length} messages were`
      } ` +
        "stored: the store did not answer; publish again with the same id, which is safe",
      { cause },
    );
    this.ids = ids;
  }
}

/**
 * Runs a publish outside a transaction of the caller, and adds the ids to its `outcome_unknown`
 * error.
 *
 * @throws {OutcomeUnknown} When the store did not answer; other errors pass through.
 */
export async function namingIds<Result>(
  ids: () => readonly string[],
  store: () => Promise<Result>,
): Promise<Result> {
  try {
    return await store();
  } catch (error) {
    if (!isInstance(error, AtlastError) || error.code !== "outcome_unknown") throw error;
    throw isInstance(error, OutcomeUnknown) ? error : new OutcomeUnknown(ids(), error);
  }
}
