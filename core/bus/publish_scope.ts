/**
 * Publishes that belong to one piece of work: a transaction of the bus, or one attempt of a handler. The
 * work is not done before they are, whether it waited for them or not.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";

/** The publishes of one piece of work. */
export class PublishScope {
  readonly #underWay = new Set<Answer<unknown>>();
  readonly #failed: Failure[] = [];
  /** Whether the work itself has ended; what it began may still be under way. */
  #isDone = false;
  #isClosed = false;
  readonly #refused: (error: unknown) => void;

  /** Makes a scope; `refused` is told of publishes that come too late. */
  constructor(refused: (error: unknown) => void) {
    this.#refused = refused;
  }

  /**
   * Runs a publish that the work begins.
   *
   * @throws {AtlastError} `transaction_ended` once the work has ended.
   */
  run<Result>(publish: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return this.#late();
    const answer = new Answer<Result>((resolve) => resolve(publish()));
    this.#underWay.add(answer);
    answer.settled(
      () => void this.#underWay.delete(answer),
      (error) => {
        this.#underWay.delete(answer);
        this.#failed.push({ answer, error, wasLate: this.#isDone });
      },
    );
    return answer;
  }

  /**
   * Waits for what the work began and did not wait for. The work calls it last.
   *
   * @throws What a publish failed with whose failure the work did not get to know: it must not succeed
   * without that message.
   */
  async finish(): Promise<void> {
    this.#isDone = true;
    try {
      while (this.#underWay.size > 0) {
        await Promise.all([...this.#underWay].map((answer) => answer.settled(ignore, ignore)));
      }
    } finally {
      this.#isClosed = true;
    }
    const unknown = this.#failed.find(({ answer, wasLate }) => wasLate || !answer.isWatched);
    if (unknown !== undefined) throw unknown.error;
  }

  /** Nobody may wait for it: the work has ended. That must not end the process. */
  #late(): Promise<never> {
    const error = endedError();
    this.#refused(error);
    const late = Promise.reject<never>(error);
    late.catch(ignore);
    return late;
  }

  /** Takes no more publishes, because the work has failed. */
  close(): void {
    this.#isDone = true;
    this.#isClosed = true;
  }
}

interface Failure {
  readonly answer: Answer<unknown>;
  readonly error: unknown;
  /** Whether it failed when the work had ended and could not react to it. */
  readonly wasLate: boolean;
}

/** A promise that knows whether anyone waits for it. `await` asks for `then`, as it is not a plain promise. */
class Answer<Result> extends Promise<Result> {
  /** What comes of it is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  isWatched = false;

  override then<A = Result, B = never>(
    onResult?: ((result: Result) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isWatched = true;
    return super.then(onResult, onError);
  }

  /** Waits for it without being counted as one who does. */
  settled(onResult: () => void, onError: (error: unknown) => void): Promise<void> {
    return super.then(onResult, onError);
  }
}

function ignore(): void {}

function endedError(): AtlastError {
  return new AtlastError(
    "transaction_ended",
    "Cannot publish in this transaction: its work has ended, want every publish begun before that",
  );
}
