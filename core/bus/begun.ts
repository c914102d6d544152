/**
 * Work that user code begins and may forget to wait for, such as the `next` of a middleware or a publish of a
 * handler. It belongs to whoever began it: they end together, and a failure that nobody looked at is theirs.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";

/** A promise that knows whether anyone waits for it. */
class Watched<Result> extends Promise<Result> {
  /** What `then` and the like give is a promise as any other. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  isAwaited = false;

  override then<Kept = Result, Caught = never>(
    onFulfilled?: ((value: Result) => Kept | PromiseLike<Kept>) | null,
    onRejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Kept | Caught> {
    this.isAwaited = true;
    return super.then(onFulfilled, onRejected);
  }

  /** What it failed with where nobody waited for it; null for all else. */
  unheard(): Promise<{ readonly error: unknown } | null> {
    return super.then(() => null, (error) => this.isAwaited ? null : { error });
  }
}

/** What one piece of user code has begun. */
export class Begun {
  readonly #what: string;
  #begun: Watched<unknown>[] = [];
  #isOver = false;

  /** Collects what is begun; `what` names the function in errors. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Begins work. The promise may be left alone: it is waited for at the end. */
  start<Result>(work: () => Promise<Result>): Promise<Result> {
    const promise = new Watched<Result>((resolve, reject) => {
      if (this.#isOver) throw tooLate(this.#what);
      work().then(resolve, reject);
    });
    // Heard of here, or it would end the process.
    void promise.unheard();
    this.#begun.push(promise);
    return promise;
  }

  /**
   * Waits for all that was begun; nothing can be begun after that.
   *
   * @throws What the first of it failed with that nobody waited for.
   */
  async finished(): Promise<void> {
    while (this.#begun.length > 0) {
      const failures = await Promise.all(this.#begun.splice(0).map((each) => each.unheard()));
      for (const failure of failures) {
        if (failure === null) continue;
        this.#isOver = true;
        throw failure.error;
      }
    }
    this.#isOver = true;
  }
}

function tooLate(what: string): AtlastError {
  return new AtlastError("stopped", `Cannot call ${what}: whoever was given it has ended`);
}
