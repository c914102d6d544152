/**
 * Adds the message ids to an error of a store that did not answer, so that the caller can repeat the publish
 * safely.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { isInstance } from "../../core/user_code/thrown.ts";

/**
 * A store did not answer whether it has stored messages. Publishing them again with the same ids is safe: what
 * is there already is answered as a duplicate.
 */
export class OutcomeUnknown extends AtlastError {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "OutcomeUnknown";
  /** The ids of the messages. */
  readonly ids: readonly string[];

  /** Makes an error for messages, from what the store failed with. */
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
 * Stores messages outside a transaction of the caller's.
 *
 * @throws {OutcomeUnknown} When the store did not answer; whatever else it throws passes through.
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
