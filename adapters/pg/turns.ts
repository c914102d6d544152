/**
 * Runs statements one after another. `pg` itself lines them up too, but warns of it, and will not do so in its next
 * version.
 *
 * @module
 */

/** An answer that is awaited before the next turn, unless the client pipelines. */
interface Sent<Result> {
  readonly answer: Promise<Result>;
  readonly isPipelined: boolean;
}

/** A line of statements. */
export class Turns {
  readonly #underWay = new Set<Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();
  #dropped: { readonly error: unknown } | null = null;

  /** Runs `send` when its turn has come, and resolves with its answer. */
  take<Result>(send: () => Promise<Sent<Result>>): Promise<Result> {
    const before = this.#last;
    let done = () => {};
    this.#last = new Promise<void>((resolve) => done = resolve);
    const answered = (async () => {
      try {
        await before;
        if (this.#dropped !== null) throw this.#dropped.error;
        const { answer, isPipelined } = await send();
        if (isPipelined) done();
        return await answer;
      } finally {
        done();
      }
    })();
    const settled = answered.then(() => {}, () => {}).finally(() => {
      this.#underWay.delete(settled);
    });
    this.#underWay.add(settled);
    return answered;
  }

  /** Resolves when no statement waits or is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Rejects the statements whose turn has not come. */
  drop(error: unknown): void {
    this.#dropped ??= { error };
  }
}
