/**
 * Statements of a transaction that are sent ahead: nobody waits for their answers before the next
 * statement is sent, or the commit, which spares a round trip for each.
 *
 * Postgres takes statements of one connection in their order, and once one has failed its COMMIT rolls
 * back. So work that goes on after a statement it did not wait for cannot commit without it; only what
 * came of it is learnt later, when the transaction ends.
 *
 * @module
 */
import { isInstance } from "../../core/user_code/thrown.ts";

/**
 * How many statements may be under way in one transaction. More than a few gain nothing, and what is
 * sent without waiting would else pile up in memory.
 */
const MAX_UNDER_WAY = 16;

/** The statements of one transaction that nobody waits for. */
export class SentAhead {
  readonly #answers = new Set<Promise<unknown>>();
  #failure: { readonly error: unknown } | null = null;

  /** Takes a statement that was just sent; resolves at once while few are under way. */
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
   * Waits for what is left, once the transaction has ended.
   *
   * @throws What the first statement failed with, if any did: then nothing was committed.
   */
  async answered(): Promise<void> {
    await Promise.all(this.#answers);
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** What a transaction failed with, in the words of the statement that failed first if that is why. */
  async reason(error: unknown): Promise<unknown> {
    await Promise.all(this.#answers);
    if (this.#failure === null) return error;
    const { error: first } = this.#failure;
    return isInstance(first, Error) && first.cause === error ? first : error;
  }
}
