/**
 * Messages without a route or subscriber: how often and for how long they are tried, and when they
 * are due again.
 *
 * @module
 */
import type { Box, Unroutable } from "../../core/lifecycle/lifecycle.ts";
import { UNROUTABLE_PAUSE_MS } from "../../core/lifecycle/unroutable.ts";
import { dueTime, hasRoute } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";

/**
 * Within which time a record that waits for a route is due, in milliseconds: one pause, and one
 * more because clocks differ.
 */
const SOON_MS = 2 * UNROUTABLE_PAUSE_MS;

/**
 * The least time between two looks of an instance, in milliseconds. It does not divide the pause
 * evenly, so that a look does not always coincide with another instance's claim.
 */
const LOOK_PAUSE_MS = 20_000;

/** The event of a message that has no route or subscriber here. */
export function unroutable<Tx>(
  { unroutableForMs: forMs }: Pick<Settings<Tx>, "unroutableForMs">,
  reason: string,
): Unroutable {
  return { kind: "unroutable", reason, delayMs: UNROUTABLE_PAUSE_MS, forMs };
}

/**
 * The time for which the alarm is to be armed, given the next due time of a box. The alarm is not
 * armed for a record that only waits for a route, until that record is due to fail.
 */
export async function nextAlarmAt<Tx>(
  { store, clock, alarm, unroutableForMs }: Settings<Tx>,
  box: Box,
  groups: readonly string[] | undefined,
  dueAtMs: number | null,
): Promise<number | null> {
  const nowMs = clock.now();
  if (alarm === undefined || !isResting(dueAtMs, nowMs, nowMs + UNROUTABLE_PAUSE_MS)) {
    return dueAtMs;
  }
  const own = groups?.map((group) => ({ group }));
  const latestMs = dueTime(await store.nextDueAt(box, nowMs, own, "scheduled", unroutableForMs));
  // A record that is due now, but not for this instance, is in the given time already.
  return latestMs === null ? null : Math.max(latestMs, dueAtMs ?? latestMs);
}

/**
 * Makes messages that wait for a route due early on an instance that has the route: at once when
 * the route is new there, and repeatedly while that instance works. Otherwise an instance without
 * the route, whose clock is slightly ahead, could claim them first each time.
 */
export class NewRoutes<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  /** When this instance may look for such records again, in Unix milliseconds. */
  readonly #looksAtMs: Record<Box, number> = { outbox: -Infinity, inbox: -Infinity };
  /**
   * Names that the transport refused although `routes` returned true, and when, in Unix
   * milliseconds.
   */
  readonly #refused = new Map<string, number>();

  constructor(settings: Settings<Tx>, subscriptions: Subscriptions<Tx>) {
    this.#settings = settings;
    this.#subscriptions = subscriptions;
  }

  /** Notes that a subscriber was added: the next call looks at once. */
  added(): void {
    this.#looksAtMs.outbox = -Infinity;
    this.#looksAtMs.inbox = -Infinity;
    this.#refused.clear();
  }

  /** Notes that the transport refused a message of this name as unroutable. */
  refused(name: string): void {
    this.#refused.set(name, this.#settings.clock.now());
  }

  /**
   * Makes records due that wait for a route this instance has, once after the start and after each
   * new subscriber; null otherwise.
   */
  makeDue(box: Box): Promise<number> | null {
    return this.#looksAtMs[box] === -Infinity ? this.#makeDue(box) : null;
  }

  /**
   * Does the same when all due work is done, and again after a pause. It looks only if a record is
   * due soon, which is true whenever a message waits for a route; null when it does not look.
   *
   * @param dueAtMs When the next record is due, in Unix milliseconds; null for never.
   */
  makeDueAgain(box: Box, dueAtMs: number | null): Promise<number> | null {
    const nowMs = this.#settings.clock.now();
    const looks = nowMs >= this.#looksAtMs[box] && isResting(dueAtMs, nowMs, nowMs + SOON_MS);
    return looks ? this.#makeDue(box) : null;
  }

  async #makeDue(box: Box): Promise<number> {
    const { store, clock, observe } = this.#settings;
    const groups = box === "inbox" ? this.#subscriptions.groups : undefined;
    const nowMs = clock.now();
    this.#looksAtMs[box] = nowMs + LOOK_PAUSE_MS;
    if (store.hints?.makeUnroutableDue === undefined || groups?.length === 0) return 0;
    for (const [name, atMs] of this.#refused) {
      if (nowMs - atMs >= UNROUTABLE_PAUSE_MS) this.#refused.delete(name);
    }
    try {
      return await store.hints.makeUnroutableDue(box, {
        nowMs,
        untilMs: nowMs + SOON_MS,
        isTaken: (name, group) => this.#isTaken(box, name, group),
        ...(groups === undefined ? {} : { groups }),
      });
    } catch (error) {
      // The records are tried when they are due anyway; other work must not fail with this.
      observe({ kind: "error", during: "unroutable", error });
      return 0;
    }
  }

  #isTaken(box: Box, name: string, group: string): boolean {
    if (box === "inbox") return this.#subscriptions.of(name).has(group);
    try {
      return !this.#refused.has(name) && hasRoute(this.#settings.routing, name, {});
    } catch {
      // The record is tried when it is due, and the attempt reports the error.
      return false;
    }
  }
}

/** Whether a record is due later than now, but by `untilMs`. */
function isResting(dueAtMs: number | null, nowMs: number, untilMs: number): boolean {
  return dueAtMs !== null && dueAtMs > nowMs && dueAtMs <= untilMs;
}
