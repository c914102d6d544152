/**
 * Parking: rejected entries are moved to a hash, where an operator can list, requeue or discard them.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import { isObject, parsed } from "../../../core/json.ts";
import { forcedFields } from "./entry.ts";
import type { StreamSettings } from "./options.ts";
import type { Entry } from "./reading.ts";
import { listOf, runOne } from "./run.ts";
import { requeuedKey } from "./keys.ts";

/** A mark, so that the client does not read the value as JSON: see `entry.ts`. */
const MARK = "~";

/** A parked entry. */
export interface ParkedMessage {
  /** Its id for `requeue` and `discard`. */
  readonly parkedId: string;
  /** Its stream. */
  readonly stream: string;
  /** The message's id; null for an entry that is no message. */
  readonly id: string | null;
  /** Why it was parked. */
  readonly reason: string;
  /** How often it was fetched. */
  readonly deliveries: number;
  /** Since when, in Unix milliseconds. */
  readonly parkedAtMs: number;
}

/** An entry to park, and why. */
export interface ToPark {
  readonly entry: Entry;
  readonly id: string | null;
  readonly reason: string;
}

/** The parked entries of a group. */
export class Parking {
  readonly #settings: StreamSettings;
  readonly #key: string;

  constructor(settings: StreamSettings) {
    this.#settings = settings;
    this.#key = settings.keys("parked", settings.group);
  }

  /** Parks entries, by one command. Parking an entry twice has the effect of once. */
  async park(entries: readonly ToPark[], nowMs: number): Promise<void> {
    if (entries.length === 0) return;
    const fields = entries.flatMap(({ entry, id, reason }) => {
      const { key, fields, deliveries } = entry;
      const parked = { stream: key, id, reason, deliveries, parkedAtMs: nowMs, fields };
      return [`${key}/${entry.id}`, MARK + JSON.stringify(parked)];
    });
    await runOne(this.#settings.redis, ["HSET", this.#key, ...fields]);
  }

  /** Up to about `limit` of them, in no order. */
  async list(limit: number): Promise<ParkedMessage[]> {
    const found = new Map<string, ParkedMessage>();
    for (let cursor = "0"; found.size < limit;) {
      const command = ["HSCAN", this.#key, cursor, "COUNT", limit] as const;
      const [next, items] = listOf(await runOne(this.#settings.redis, [...command]));
      const all = listOf(items).map(String);
      for (let i = 0; i + 1 < all.length; i += 2) {
        const parked = parkedOf(all[i + 1]!);
        if (parked !== null) found.set(all[i]!, { parkedId: all[i]!, ...parked.message });
      }
      cursor = String(next ?? 0);
      if (cursor === "0") break;
    }
    return [...found.values()];
  }

  /**
   * Requeues one: this group gets it again, unchanged, or marked so that the receiver takes it anyway.
   *
   * @throws {AtlastError} `not_found`.
   */
  async requeue(parkedId: string, force: boolean): Promise<void> {
    const { redis, keys, group } = this.#settings;
    const parked = parkedOf(String(await runOne(redis, ["HGET", this.#key, parkedId])));
    if (parked === null) throw notFound(parkedId);
    // In this order, because the process may die in between: a second delivery is harmless, a lost one is
    // not.
    const fields = force ? forcedFields(parked.fields) : parked.fields;
    await runOne(redis, ["XADD", requeuedKey(keys, group), "*", ...fields]);
    await this.discard(parkedId);
  }

  /** Deletes one; false when it does not exist. */
  async discard(parkedId: string): Promise<boolean> {
    return Number(await runOne(this.#settings.redis, ["HDEL", this.#key, parkedId])) > 0;
  }
}

function parkedOf(
  text: string,
): { message: Omit<ParkedMessage, "parkedId">; fields: string[] } | null {
  const value = text.startsWith(MARK) ? parsed(text.slice(MARK.length)) : undefined;
  if (!isObject(value) || !Array.isArray(value["fields"])) return null;
  const { stream, id, reason, deliveries, parkedAtMs, fields } = value;
  return {
    message: {
      stream: String(stream),
      id: typeof id === "string" ? id : null,
      reason: String(reason),
      deliveries: Number(deliveries),
      parkedAtMs: Number(parkedAtMs),
    },
    fields: fields.map(String),
  };
}

function notFound(parkedId: string): AtlastError {
  return new AtlastError(
    "not_found",
    `Cannot requeue ${JSON.stringify(parkedId.slice(0, 100))}: no message is parked under this id`,
  );
}
