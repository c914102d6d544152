/**
 * The preparation of tables. A store or fence runs it before its first use.
 *
 * @module
 */

/** Prepares tables once; a preparation that failed is tried again by the next call. */
export class Preparation {
  readonly #prepare: () => Promise<void>;
  #done: Promise<void> | null = null;

  /** Takes the function that creates or checks the tables. */
  constructor(prepare: () => Promise<void>) {
    this.#prepare = prepare;
  }

  /** Resolves when the tables can be used. */
  ready(): Promise<void> {
    this.#done ??= this.#prepare().catch((error) => {
      this.repeat();
      throw error;
    });
    return this.#done;
  }

  /** Makes the next call prepare the tables again. */
  repeat(): void {
    this.#done = null;
  }
}
