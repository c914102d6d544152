/**
 * Parking: entries that were rejected are moved to a stream where an operator can see them and put them back.
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

/** So that the client does not read it as JSON: see `entry.ts`. */
const MARK = "~";

/** An entry that was set aside. */
export interface ParkedMessage {
  /** What it is called here; it is put back under this. */
  readonly parkedId: string;
  /** Its stream. */
  readonly stream: string;
  /** The message's id; null for an entry that is no message. */
  readonly id: string | null;
  /** Why it is here. */
  readonly reason: string;
  /** How often it was fetched. */
  readonly deliveries: number;
  /** Since when, in Unix milliseconds. */
  readonly parkedAtMs: number;
}

/** An entry to be set aside, and why. */
export interface ToPark {
  readonly entry: Entry;
  readonly id: string | null;
  readonly reason: string;
}

/** What a group has set aside. */
export class Parking {
  readonly #settings: StreamSettings;
  readonly #key: string;

  constructor(settings: StreamSettings) {
    this.#settings = settings;
    this.#key = settings.keys("parked", settings.group);
  }

  /** Sets entries aside, by one command. Setting one aside twice is once. */
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
   * Puts one back: this group gets it again, as it was, or with word that it is to be taken anyway.
   *
   * @throws {AtlastError} `not_found`.
   */
  async requeue(parkedId: string, force: boolean): Promise<void> {
    const { redis, keys, group } = this.#settings;
    const parked = parkedOf(String(await runOne(redis, ["HGET", this.#key, parkedId])));
    if (parked === null) throw notFound(parkedId);
    // In this order, for whoever dies in between: twice is harmless, never is not.
    const fields = force ? forcedFields(parked.fields) : parked.fields;
    await runOne(redis, ["XADD", requeuedKey(keys, group), "*", ...fields]);
    await this.discard(parkedId);
  }

  /** Drops one for good; false when it is not there. */
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
    `Cannot put back ${JSON.stringify(parkedId.slice(0, 100))}: nothing is parked there`,
  );
}
