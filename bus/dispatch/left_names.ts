/**
 * The names whose messages this bus leaves to other instances, because its transport has no route for them.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import { isName } from "../../core/message/name.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { hasRoute } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";

/** The most names that are left: each claim names them. */
const MAX_NAMES = 100;

/** What it needs to know of a record. */
type Sent = Pick<StoredRecord, "message" | "details">;

/** The names that a bus leaves to others. */
export class LeftNames<Tx> {
  readonly #settings: Pick<Settings<Tx>, "routing" | "store">;
  readonly #names = new Set<string>();
  /** Names without a route of which this bus sends some messages, for instance those with a destination. */
  readonly #mixed = new Set<string>();

  constructor(settings: Pick<Settings<Tx>, "routing" | "store">) {
    this.#settings = settings;
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** All of them. A name that has a route by now is one no more. */
  all(): string[] {
    for (const name of this.#names) if (!this.#lacksRoute(name)) this.#names.delete(name);
    return [...this.#names];
  }

  /** Whether the messages with a name are left. */
  has(name: string): boolean {
    return this.#names.has(name) && this.#lacksRoute(name);
  }

  /**
   * Leaves messages with the name of this one, which has no route here. False if this bus claims them all the same: then
   * they have to wait.
   */
  leave({ message: { name, headers } }: Sent): boolean {
    if (this.has(name)) return true;
    // Without the hint, nobody would end the wait of a message that no instance takes.
    if (this.#settings.store.hints?.untaken === undefined) return false;
    const isMixed = headers[HEADER.destination] !== undefined || this.#mixed.has(name);
    const isFull = this.#names.size >= MAX_NAMES || this.#mixed.size >= MAX_NAMES;
    if (isMixed || isFull || !isName(name) || !this.#lacksRoute(name)) return false;
    this.#names.add(name);
    return true;
  }

  /** Notes that this bus sends a message: if it does so without a route for the name, the name is not left. */
  sends({ message: { name, headers }, details }: Sent): void {
    const isByName = headers[HEADER.destination] === undefined && details?.groups === undefined;
    if (isByName && !this.has(name)) return;
    this.#names.delete(name);
    if (this.#mixed.size < MAX_NAMES) this.#mixed.add(name);
  }

  #lacksRoute(name: string): boolean {
    try {
      return !hasRoute(this.#settings.routing, name, {});
    } catch {
      // A message that is tried reports the error.
      return false;
    }
  }
}
