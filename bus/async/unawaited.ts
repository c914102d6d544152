/**
 * Tracks promises that user code starts and may forget to await, such as the `next` of a
 * middleware, or a publish in a handler or a transaction. The handler or transaction ends only
 * after them, and fails if one of them fails.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/**
 * A promise that records whether it was awaited. `await` calls `then`, because this is a subclass.
 */
class Watched<Result> extends Promise<Result> {
  /** `then`, `catch` and `finally` return plain promises. */
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

  /** Like `then`, but does not mark the promise as awaited. */
  settled(onFulfilled: () => void, onRejected: (error: unknown) => void): Promise<void> {
    return super.then(onFulfilled, onRejected);
  }
}

interface Failure {
  readonly promise: Watched<unknown>;
  readonly error: unknown;
  /** Whether it failed after the code that began it had ended and could not react. */
  readonly wasLate: boolean;
}

/** What happens to work that is begun too late. */
interface TooLate {
  /** The error it fails with. */
  readonly error: () => AtlastError;
  /** Called with that error, because the caller may not await the promise. */
  readonly refused: (error: AtlastError) => void;
}

/** The promises that one piece of user code has begun. */
export class Begun {
  readonly #late: TooLate;
  readonly #underWay = new Set<Watched<unknown>>();
  readonly #failed: Failure[] = [];
  /** Whether the code itself has ended; promises that it began may still be pending. */
  #isDone = false;
  #isOver = false;

  /**
   * Creates a collection. `late` says how to refuse work that comes too late; a string is the name
   * of the call in the default error.
   */
  constructor(late: string | TooLate) {
    this.#late = typeof late === "string"
      ? { error: () => tooLate(late), refused: () => {} }
      : late;
  }

  /** Begins work. The caller need not await the promise: {@linkcode Begun.finished} does. */
  start<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isOver) return this.#refuse();
    const promise = new Watched<Result>((resolve) => resolve(work()));
    this.#underWay.add(promise);
    // This handler keeps a rejection from ending the process.
    promise.settled(
      () => void this.#underWay.delete(promise),
      (error) => {
        this.#underWay.delete(promise);
        this.#failed.push({ promise, error, wasLate: this.#isDone });
      },
    );
    return promise;
  }

  /**
   * Waits for all promises; nothing can be begun afterwards. Called when the user code has ended.
   *
   * @throws The error of the first promise that failed without being awaited, or after the code had
   * ended.
   */
  async finished(): Promise<void> {
    this.#isDone = true;
    while (this.#underWay.size > 0) {
      await Promise.all([...this.#underWay].map((each) => each.settled(ignore, ignore)));
    }
    this.#isOver = true;
    const failure = this.#failed.find(({ promise, wasLate }) => wasLate || !promise.isAwaited);
    if (failure !== undefined) throw failure.error;
  }

  /** Refuses further work. Called when the user code has failed. */
  close(): void {
    this.#isDone = true;
    this.#isOver = true;
  }

  #refuse(): Promise<never> {
    const error = this.#late.error();
    this.#late.refused(error);
    const refused = Promise.reject<never>(error);
    refused.catch(ignore);
    return refused;
  }
}

function ignore(): void {}

function tooLate(what: string): AtlastError {
  return new AtlastError("stopped", `Cannot call ${what}: the function that received it has ended`);
}
