/**
 * Statements of a transaction that are sent before earlier ones are answered, which saves a round trip each.
 *
 * Postgres runs the statements of a connection in order, and after a failed one COMMIT rolls back. So a
 * transaction cannot commit without a statement that it did not await; its error is known only at the end.
 *
 * @module
 */
import { isInstance } from "../../core/user_code/thrown.ts";

/**
 * How many statements may be in flight in one transaction. More than a few gain nothing, and unbounded
 * statements would fill the memory.
 */
const MAX_UNDER_WAY = 16;

/** The statements of one transaction that are not awaited. */
export class SentAhead {
  readonly #answers = new Set<Promise<unknown>>();
  #failure: { readonly error: unknown } | null = null;

  /** Adds a statement that was just sent; resolves at once while few are in flight. */
  async take(answer: Promise<unknown>): Promise<void> {
    const settled = answer.then(
      () => void this.#answers.delete(settled),
      (error) => {
        this.#failure ??= { error };
        this.#answers.delete(settled);
      },
    );
    this.#answers.add(settled);
    if (this.#answers.size > MAX_UNDER_WAY) await Promise.race(this.#answers);
  }

  /**
   * Waits for the remaining statements after the transaction has ended.
   *
   * @throws The error of the first statement that failed, if any did: then nothing was committed.
   */
  async answered(): Promise<void> {
    await Promise.all(this.#answers);
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** The error of a transaction: that of the statement that failed first, if there is one. */
  async reason(error: unknown): Promise<unknown> {
    await Promise.all(this.#answers);
    if (this.#failure === null) return error;
    const { error: first } = this.#failure;
    return isInstance(first, Error) && first.cause === error ? first : error;
  }
}
