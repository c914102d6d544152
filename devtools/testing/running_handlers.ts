/**
 * Notes which handlers run, so that a test that waits in vain can name them.
 *
 * @module
 */
import type { ConsumeMiddleware } from "../../bus/api/middleware.ts";
import type { HandlerContext } from "../../bus/api/subscriber.ts";
import { turn } from "./real_time.ts";

/** After how many handlers the event loop gets a turn: handlers in memory may otherwise never let a timer run. */
const TURN_EVERY = 64;

/** The handlers that run in the services of a world. */
export class RunningHandlers {
  readonly #running = new Set<HandlerContext<unknown>>();
  #begun = 0;

  /** Whether a handler runs that may still be settled. One that was aborted does not count. */
  get areAny(): boolean {
    return [...this.#running].some(({ signal }) => !signal.aborted);
  }

  /** Whether the handler of a message runs. */
  includes(id: string, group: string): boolean {
    return [...this.#running].some((run) =>
      run.message.id === id && run.group === group && !run.signal.aborted
    );
  }

  /** Runs around every handler. */
  readonly middleware: ConsumeMiddleware = async (body, context, next) => {
    this.#running.add(context);
    try {
      if (++this.#begun % TURN_EVERY === 0) await turn();
      return await next(body);
    } finally {
      this.#running.delete(context);
    }
  };
}
