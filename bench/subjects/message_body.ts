/**
 * The body of the messages that every subject publishes and handles.
 *
 * @module
 */

/** The body: about 200 bytes of JSON. */
export interface MessageBody {
  readonly n: number;
  /** When it was published, in milliseconds of {@linkcode wallClock}; 0 if latency is not measured. */
  readonly at: number;
  readonly text: string;
}

const FILLER = "x".repeat(150);

/** Creates the body of message `n`. */
export function createBody(n: number, at = 0): MessageBody {
  return { n, at, text: FILLER };
}

/** Creates `count` bodies, numbered from `first`. */
export function createBodies(first: number, count: number): MessageBody[] {
  return Array.from({ length: count }, (_, i) => createBody(first + i));
}
