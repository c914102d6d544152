/**
 * The requests for records that are to be worked on.
 *
 * @module
 */
import type { Box } from "../lifecycle/lifecycle.ts";
import type { RecordKey } from "./record.ts";

/** Records of a group, by their names. */
export interface GroupNames {
  /** The group; in the outbox the empty string. */
  readonly group: string;
  /** The names, and patterns of names (see `matchesName`); all when not given. */
  readonly names?: readonly string[];
  /** Instead of `names`: all names but these, which are no patterns. */
  readonly except?: readonly string[];
}

/** Which records of a group to claim. */
export interface GroupShare extends GroupNames {
  /** How many at the most; as many as the request says when not given. */
  readonly limit?: number;
}

/** Which records to claim. */
export interface ClaimRequest {
  /** In which box. */
  readonly box: Box;
  /** How many at the most: of each group if these are `ready` records of some groups, otherwise in all. */
  readonly limit: number;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** Until when the claim holds, in Unix milliseconds. */
  readonly leaseUntilMs: number;
  /**
   * Only records of these groups, each group once; all when not given. The backlog of one group does not delay the
   * others.
   */
  readonly groups?: readonly GroupShare[];
  /** Only the record with this key; all when not given. */
  readonly key?: RecordKey;
  /**
   * - `ready`: `scheduled` records without a lease, and those whose lease expired for the first time: their worker died.
   * - `alone`: one `scheduled` record with which a second worker died: its lease expired again, or it has two crashes.
   * - `prepared`: half messages whose participant is to be checked.
   */
  readonly kind: "ready" | "alone" | "prepared";
}

/** Of which records to find those that nobody takes. */
export interface UntakenRequest {
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** Only records of these groups; all when not given. */
  readonly groups?: readonly string[];
}

/** Due records of a group and a name that nobody takes. */
export interface Untaken {
  /** The group. */
  readonly group: string;
  /** The name. */
  readonly name: string;
  /** How many there are, as far as the store looked. */
  readonly count: number;
  /**
   * Since when the first of them has been due, or has waited for a route or a subscriber, in Unix milliseconds.
   */
  readonly sinceMs: number;
}
