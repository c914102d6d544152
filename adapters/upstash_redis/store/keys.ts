/**
 * The names of the keys in Redis.
 *
 * Every key begins with the prefix in braces, so that all keys of a bus are in one hash slot and a script may
 * use them together.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import type { Box, State } from "../../../core/lifecycle/lifecycle.ts";
import type { GroupNames, GroupShare } from "../../../core/ports/claim_request.ts";
import type { RecordKey } from "../../../core/ports/record.ts";

/** States that have a list of their own. The others have too many records for a list to be worth its cost. */
export const LISTED: readonly State[] = ["prepared", "failed", "cancelled", "in_doubt"];

/** The names of the keys of one box of a store. */
export class BoxKeys {
  /** The beginning of the box's keys. */
  readonly base: string;
  /** How many records there are in each state, and which groups. */
  readonly totals: string;
  /** All records by the time they were added. */
  readonly all: string;
  /** Scheduled records that are claimed alone, by the time when they can be claimed. */
  readonly alone: string;
  /** Half messages by the time of the next check-back. */
  readonly prepared: string;
  /** Settled records by their expiry. */
  readonly expiring: string;
  /** The buckets of digests of pruned records, by the latest possible arrival in each. */
  readonly memory: string;
  /** The arrival time of the latest message whose record was pruned and that has no digest. */
  readonly pruned: string;
  readonly #box: Box;

  constructor(base: string, box: Box) {
    this.base = `${base}${box}:`;
    this.#box = box;
    this.totals = `${this.base}totals`;
    this.all = `${this.base}all`;
    this.alone = `${this.base}alone`;
    this.prepared = `${this.base}prepared`;
    this.expiring = `${this.base}expiring`;
    this.memory = `${this.base}memory`;
    this.pruned = `${this.base}pruned`;
  }

  /**
   * Other scheduled records of a group, by the time when they can be claimed: when they are due, or when their lease
   * expires. The outbox has one queue for all.
   */
  ready(group: string): string {
    return this.#box === "outbox" ? `${this.base}ready` : `${this.base}ready:${groupName(group)}`;
  }

  /** Records of a state that has a list, by the time they were added. */
  list(state: State): string {
    return `${this.base}list:${state}`;
  }

  /** The standing of a record. */
  standing(member: string): string {
    return `${this.base}s:${member}`;
  }

  /** A record's message. */
  message(member: string): string {
    return `${this.base}m:${member}`;
  }

  /** All keys that index the records of these groups. */
  indexes(groups: Iterable<string>): string[] {
    return [
      this.totals,
      this.all,
      this.alone,
      this.prepared,
      this.expiring,
      ...LISTED.map((state) => this.list(state)),
      ...new Set([...groups].map((group) => this.ready(group))),
    ];
  }
}

/** A group as part of the name of a key. */
export function groupName(group: string): string {
  return encodeURIComponent(group);
}

/** Whether Redis would store a key unchanged. Text with half a surrogate pair is changed in the request. */
export function isStorable({ id, group }: RecordKey): boolean {
  return id.isWellFormed() && group.isWellFormed();
}

/**
 * A key as a member of a sorted set: the group, a colon, the id.
 *
 * @throws {AtlastError} `invalid_id` when it has half a surrogate pair, which Redis would not keep.
 */
export function memberOf(key: RecordKey): string {
  if (isStorable(key)) return `${groupName(key.group)}:${key.id}`;
  throw new AtlastError(
    "invalid_id",
    "Cannot store a record whose id or group has half a surrogate pair: want well-formed text",
  );
}

/** The key of a member. */
export function keyOfMember(member: string): RecordKey {
  const end = member.indexOf(":");
  return { id: member.slice(end + 1), group: decodeURIComponent(member.slice(0, end)) };
}

/**
 * How scripts are given groups: all, or of each of these its name, its limit and its names: all, all but those after an
 * exclamation mark, or those given.
 */
export function groupFields(groups: readonly GroupShare[] | undefined, limit = 1): string[] {
  if (groups === undefined) return ["*"];
  return [
    "=",
    ...groups.flatMap((share) => [
      groupName(share.group),
      String(share.limit ?? limit),
      share.except === undefined ? share.names?.join(" ") ?? "*" : `!${share.except.join(" ")}`,
    ]),
  ];
}

/** The sets that index claimable records. */
export function queuesOf(
  keys: BoxKeys,
  box: Box,
  state: "scheduled" | "prepared",
  groups: readonly GroupNames[] | undefined,
): [string, ...string[]] {
  if (state === "prepared") return [keys.prepared];
  if (box === "inbox" && groups === undefined) return [keys.alone, keys.totals];
  const ready = box === "outbox"
    ? [keys.ready("")]
    : (groups ?? []).map(({ group }) => keys.ready(group));
  return [keys.alone, ...ready];
}
