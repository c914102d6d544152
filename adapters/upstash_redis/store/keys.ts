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
import type { RecordKey } from "../../../core/ports/record.ts";

/** States that have a list of their own; of the others there are too many for it to be worth its price. */
export const LISTED: readonly State[] = ["prepared", "failed", "cancelled", "in_doubt"];

/** The names of the keys of one side of a store. */
export class BoxKeys {
  /** What the side's keys begin with. */
  readonly base: string;
  /** How many records there are in each state, and which groups. */
  readonly totals: string;
  /** Every record by when it was added. */
  readonly all: string;
  /** Records that a worker holds or died with, by when that lease ends. */
  readonly expired: string;
  /** Prepared records by when their outcome is next asked for. */
  readonly prepared: string;
  /** Settled records by when they may be deleted. */
  readonly expiring: string;
  /** The buckets of what is remembered of deleted records, by when the last of each may have arrived. */
  readonly memory: string;
  /** When the latest message arrived whose record was deleted and that is not remembered. */
  readonly pruned: string;
  readonly #box: Box;

  constructor(base: string, box: Box) {
    this.base = `${base}${box}:`;
    this.#box = box;
    this.totals = `${this.base}totals`;
    this.all = `${this.base}all`;
    this.expired = `${this.base}expired`;
    this.prepared = `${this.base}prepared`;
    this.expiring = `${this.base}expiring`;
    this.memory = `${this.base}memory`;
    this.pruned = `${this.base}pruned`;
  }

  /** Records of a group that no worker died with, by when they are due; the outbox has one queue for all. */
  ready(group: string): string {
    return this.#box === "outbox" ? `${this.base}ready` : `${this.base}ready:${groupName(group)}`;
  }

  /** Records of a state that has a list, by when they were added. */
  list(state: State): string {
    return `${this.base}list:${state}`;
  }

  /** Where a record stands. */
  standing(member: string): string {
    return `${this.base}s:${member}`;
  }

  /** A record's message. */
  message(member: string): string {
    return `${this.base}m:${member}`;
  }

  /** Every key that the standing of records of these groups can be found through. */
  indexes(groups: Iterable<string>): string[] {
    return [
      this.totals,
      this.all,
      this.expired,
      this.prepared,
      this.expiring,
      ...LISTED.map((state) => this.list(state)),
      ...new Set([...groups].map((group) => this.ready(group))),
    ];
  }
}

/** A group as it stands in the name of a key. */
export function groupName(group: string): string {
  return encodeURIComponent(group);
}

/** Whether Redis would keep a key as it is; text with half a surrogate pair becomes another on the way. */
export function isStorable({ id, group }: RecordKey): boolean {
  return id.isWellFormed() && group.isWellFormed();
}

/**
 * A key as a member of a sorted set: the group, a colon, the id.
 *
 * @throws {AtlastError} `invalid_id` when it has half a character, which Redis would not keep.
 */
export function memberOf(key: RecordKey): string {
  if (isStorable(key)) return `${groupName(key.group)}:${key.id}`;
  throw new AtlastError(
    "invalid_id",
    "Cannot store a record whose id or group has half a surrogate pair: want well-formed text",
  );
}

/** The key that a member stands for. */
export function keyOfMember(member: string): RecordKey {
  const end = member.indexOf(":");
  return { id: member.slice(end + 1), group: decodeURIComponent(member.slice(0, end)) };
}
