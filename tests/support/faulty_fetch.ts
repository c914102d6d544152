/**
 * A fetch that loses what a test tells it to lose.
 *
 * @module
 */
import type { Fetch } from "../../http/post.ts";

/** What becomes of one request. */
export type Fault =
  /** It never arrives. */
  | "request_lost"
  /** It arrives and has its effect, and its answer is lost. */
  | "answer_lost"
  /** It arrives and is answered. */
  | "none"
  /** It is answered by someone on the way. */
  | Response;

/** A fetch with faults, and what went through it. */
export interface FaultyFetch {
  readonly fetch: Fetch;
  /** The operation of each request, in order. */
  readonly operations: string[];
  /** The id of each request's message, in order. */
  readonly ids: string[];
}

/** Makes a fetch. The faults are for its requests in order, or for each as a function says; then none. */
export function faultyFetch(
  faults: readonly Fault[] | ((operation: string) => Fault),
  inner: Fetch = (url, init) => fetch(url, init),
): FaultyFetch {
  const operations: string[] = [];
  const ids: string[] = [];
  return {
    operations,
    ids,
    async fetch(url, init) {
      const request = JSON.parse(new TextDecoder().decode(init.body as Uint8Array));
      ids.push(request.id ?? request.message.headers["cap-msg-id"]);
      const count = operations.push(request.operation);
      const fault = typeof faults === "function"
        ? faults(request.operation)
        : faults[count - 1] ?? "none";
      if (fault instanceof Response) return fault.clone();
      if (fault === "request_lost") throw new TypeError("The request was lost");
      const response = await inner(url, init);
      if (fault === "none") return response;
      await response.body?.cancel();
      throw new TypeError("The answer was lost");
    },
  };
}
