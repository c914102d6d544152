/**
 * The optional details of a record's standing.
 *
 * @module
 */

/**
 * Facts that only some records have. A record without any has null in their place, so that the ordinary
 * life of a message costs nothing.
 */
export interface RecordDetails {
  /** In the outbox: the groups that take the message from this very store. */
  readonly groups?: readonly string[];
  /** Whether it was stored as a half message of this bus's own, whatever has become of it. */
  readonly isHalf?: boolean;
  /** In the inbox: the principal that delivered the message, where its verifier names one. */
  readonly principal?: string;
  /** When the first attempt to send it that may have arrived began, in Unix milliseconds. */
  readonly firstAttemptAtMs?: number;
  /** Whether an operator wants receivers to take it although they may have forgotten it. */
  readonly sentForced?: boolean;
  /** Since when there is no route or no subscriber for it, in Unix milliseconds. */
  readonly unroutableSinceMs?: number;
  /** Since when its receiver has been stopping, in Unix milliseconds. */
  readonly stoppingSinceMs?: number;
  /**
   * Whether it may have taken effect although no attempt succeeded: one ended without an answer, or a worker
   * died with it.
   */
  readonly mayHaveArrived?: boolean;
  /** Which time it is that it is tried from the start: 2 after the first retry by an operator. Not given: 1. */
  readonly round?: number;
  /** Since when the participant of a half message does not answer, in Unix milliseconds. */
  readonly unreachableSinceMs?: number;
  /** Whether an operator decided a half message without its participant, which could not be reached. */
  readonly forced?: boolean;
}

/** Details with some of them changed: null where none are left. A value of undefined takes one away. */
export function withDetails(
  details: RecordDetails | null,
  changes: { readonly [Name in keyof RecordDetails]: RecordDetails[Name] | undefined },
): RecordDetails | null {
  const entries = Object.entries({ ...details, ...changes }).filter(([, value]) =>
    value !== undefined
  );
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

/** Details of a message that may have arrived, if `mayHave` says so; else as they are. */
export function withArrival(details: RecordDetails | null, mayHave: boolean): RecordDetails | null {
  return !mayHave || details?.mayHaveArrived === true
    ? details
    : withDetails(details, { mayHaveArrived: true });
}

/** Details of a message that someone takes: it waits for a route or a receiver no more. */
export function withoutWaits(details: RecordDetails | null): RecordDetails | null {
  return details?.unroutableSinceMs === undefined && details?.stoppingSinceMs === undefined
    ? details
    : withDetails(details, { unroutableSinceMs: undefined, stoppingSinceMs: undefined });
}

/** Details of a message that is given back: where it may have arrived there was a route, so that it waits for none. */
export function detailsOfRelease(
  before: RecordDetails | null,
  mayHaveArrived: boolean,
): RecordDetails | null {
  if (!mayHaveArrived) return before;
  return withDetails(before, { mayHaveArrived: true, unroutableSinceMs: undefined });
}

/** Details of a message that an operator has tried again: its next round begins. */
export function detailsOfRetry(
  before: RecordDetails | null,
  mayHaveArrived: boolean,
  isForced: boolean,
): RecordDetails | null {
  return withDetails(withoutWaits(withArrival(before, mayHaveArrived)), {
    round: (before?.round ?? 1) + 1,
    sentForced: isForced ? true : undefined,
  });
}

/** Details as text, for stores that keep them so. */
export function detailsText(details: RecordDetails | null): string | null {
  return details === null ? null : JSON.stringify(details);
}

/** Details from what {@linkcode detailsText} gave. */
export function detailsFromText(text: string | null): RecordDetails | null {
  return text === null ? null : JSON.parse(text) as RecordDetails;
}
