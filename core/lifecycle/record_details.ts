/**
 * The optional details of a record's standing.
 *
 * @module
 */

/** What a record waits for whose destination could not be reached. */
export interface UnreachableDetails {
  /** The destination, as the transport names it. */
  readonly to: string;
  /** When the record is due by its schedule, in Unix milliseconds. */
  readonly untilMs: number;
  /** Before which it must not be tried, because an answer said so, in Unix milliseconds. */
  readonly fromMs?: number;
}

/**
 * Facts that only some records have. Records without any have null, so that ordinary messages cost
 * nothing.
 */
export interface RecordDetails {
  /** In the outbox: the groups that receive the message from this store. */
  readonly groups?: readonly string[];
  /** Whether it was stored as a half message of this bus, in any state. */
  readonly isHalf?: boolean;
  /** In the inbox: the principal that delivered the message, if the verifier named one. */
  readonly principal?: string;
  /** When the first attempt to send it that may have arrived began, in Unix milliseconds. */
  readonly firstAttemptAtMs?: number;
  /** Whether an operator forced it: receivers accept it although they may have pruned its id. */
  readonly sentForced?: boolean;
  /** Since when there is no route or no subscriber for it, in Unix milliseconds. */
  readonly unroutableSinceMs?: number;
  /** Since when its receiver has been stopping, in Unix milliseconds. */
  readonly stoppingSinceMs?: number;
  /**
   * Whether it may have taken effect although no attempt succeeded, because one got no answer or a
   * worker died.
   */
  readonly mayHaveArrived?: boolean;
  /**
   * The round: 2 after the first retry by an operator, and so on.
   *
   * @default 1
   */
  readonly round?: number;
  /** How many failures counted no attempt, because they only asked for a later one. */
  readonly postponed?: number;
  /** For which destination it waits, because it could not be reached; see `waitsFor`. */
  readonly unreachable?: UnreachableDetails;
  /** How often it was made due early because its destination was reached again. */
  readonly resumes?: number;
  /** Since when the participant of a half message does not answer, in Unix milliseconds. */
  readonly unreachableSinceMs?: number;
  /** Whether an operator decided a half message without its participant, which could not be reached. */
  readonly forced?: boolean;
}

/** Details with changes: a value of undefined removes a field. Null when none are left. */
export function withDetails(
  details: RecordDetails | null,
  changes: { readonly [Name in keyof RecordDetails]: RecordDetails[Name] | undefined },
): RecordDetails | null {
  const entries = Object.entries({ ...details, ...changes }).filter(([, value]) =>
    value !== undefined
  );
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

/**
 * Notes that the message may have arrived if `mayHave` is true; otherwise returns the details
 * unchanged.
 */
export function withArrival(details: RecordDetails | null, mayHave: boolean): RecordDetails | null {
  return !mayHave || details?.mayHaveArrived === true
    ? details
    : withDetails(details, { mayHaveArrived: true });
}

/** The details of a message that no longer waits for a route or a receiver. */
export function withoutWaits(details: RecordDetails | null): RecordDetails | null {
  return details?.unroutableSinceMs === undefined && details?.stoppingSinceMs === undefined
    ? details
    : withDetails(details, { unroutableSinceMs: undefined, stoppingSinceMs: undefined });
}

/**
 * The details of a released message. If it may have arrived, there was a route, so it no longer
 * waits for one.
 */
export function detailsOfRelease(
  before: RecordDetails | null,
  mayHaveArrived: boolean,
): RecordDetails | null {
  if (!mayHaveArrived) return before;
  return withDetails(before, { mayHaveArrived: true, unroutableSinceMs: undefined });
}

/** The details of a half message that is decided, without `unreachableSinceMs`. */
export function detailsOfDecision(
  before: RecordDetails | null,
  isForced: boolean,
): RecordDetails | null {
  if (before === null && !isForced) return null;
  return withDetails(before, {
    unreachableSinceMs: undefined,
    forced: isForced ? true : undefined,
  });
}

/** The details of a message that an operator retries: its next round begins. */
export function detailsOfRetry(
  before: RecordDetails | null,
  mayHaveArrived: boolean,
  isForced: boolean,
): RecordDetails | null {
  return withDetails(withoutWaits(withArrival(before, mayHaveArrived)), {
    round: (before?.round ?? 1) + 1,
    postponed: undefined,
    unreachable: undefined,
    resumes: undefined,
    sentForced: isForced ? true : undefined,
  });
}

/** Details as text, for stores that keep them as text. */
export function detailsText(details: RecordDetails | null): string | null {
  return details === null ? null : JSON.stringify(details);
}

/** Details from the result of {@linkcode detailsText}. */
export function detailsFromText(text: string | null): RecordDetails | null {
  return text === null ? null : JSON.parse(text) as RecordDetails;
}
