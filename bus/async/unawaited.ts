/**
 * Promises that user code starts and may forget to await, such as the `next` of a middleware, or a publish in a
 * handler or a transaction. The handler or transaction that started one ends only after it, and fails if it
 * fails.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** A promise that knows whether anyone waits for it. `await` asks for `then`, as it is no plain promise. */
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

  /** Learns how it ends without being counted as one who waits. */
  settled(onFulfilled: () => void, onRejected: (error: unknown) => void): Promise<void> {
    return super.then(onFulfilled, onRejected);
  }
}

interface Failure {
  readonly promise: Watched<unknown>;
  readonly error: unknown;
  /** Whether it failed when the code that began it had ended, and could not react to it. */
  readonly wasLate: boolean;
}

/** What is done with what is begun too late. */
interface TooLate {
  /** The error it fails with. */
  readonly error: () => AtlastError;
  /** Is told of it, because nobody may wait for it. */
  readonly refused: (error: AtlastError) => void;
}

/** What one piece of user code has begun. */
export class Begun {
  readonly #late: TooLate;
  readonly #underWay = new Set<Watched<unknown>>();
  readonly #failed: Failure[] = [];
  /** Whether the code itself has ended; what it began may still be under way. */
  #isDone = false;
  #isOver = false;

  /** Collects what is begun; of what comes too late `late` is told, or it is said to be a call of that name. */
  constructor(late: string | TooLate) {
    this.#late = typeof late === "string"
      ? { error: () => tooLate(late), refused: () => {} }
      : late;
  }

  /** Begins work. The promise may be left alone: it is waited for at the end. */
  start<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isOver) return this.#refuse();
    const promise = new Watched<Result>((resolve) => resolve(work()));
    this.#underWay.add(promise);
    // Heard of here, or a failure would end the process.
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
   * Waits for all that was begun; nothing can be begun after that. The code that begins it has ended.
   *
   * @throws What the first of it failed with that nobody waited for, or that failed only now.
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

  /** Takes no more, because the code that begins it has failed. */
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
  return new AtlastError("stopped", `Cannot call ${what}: whoever was given it has ended`);
}
