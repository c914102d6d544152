/**
 * Messages without a route: how often and for how long they are tried, and when they are due again.
 *
 * @module
 */
import type { Box, Unroutable } from "../../core/lifecycle/lifecycle.ts";
import { UNROUTABLE_PAUSE_MS } from "../../core/lifecycle/unroutable.ts";
import { dueTime, hasRoute } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";

/** Within which time what waits for a route is due, in milliseconds; a pause more is for clocks that differ. */
const SOON_MS = 2 * UNROUTABLE_PAUSE_MS;

/** How often an instance looks at the most. No part of a pause: it must not always find them held by another. */
const LOOK_PAUSE_MS = 20_000;

/** The event of a message that has no route or subscriber here. */
export function unroutable<Tx>(
  { unroutableForMs: forMs }: Pick<Settings<Tx>, "unroutableForMs">,
  reason: string,
): Unroutable {
  return { kind: "unroutable", reason, delayMs: UNROUTABLE_PAUSE_MS, forMs };
}

/** When records are due that this bus works on, to be told to the alarm: nobody is woken for a try without a route. */
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
  return dueTime(await store.nextDueAt(box, nowMs, groups, "scheduled", unroutableForMs));
}

/**
 * Has messages that wait for a route tried by an instance that has it: at once when it has just come to have it, and
 * then as long as it works. Without that one that lacks the route might be first each time that they are due, because
 * its clock is a little ahead.
 */
export class NewRoutes<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  /** From when this instance looks again for what it has a route for, in Unix milliseconds. */
  readonly #looksAtMs: Record<Box, number> = { outbox: -Infinity, inbox: -Infinity };
  /** Names that the transport refused although it says that it takes them, and when, in Unix milliseconds. */
  readonly #refused = new Map<string, number>();

  constructor(settings: Settings<Tx>, subscriptions: Subscriptions<Tx>) {
    this.#settings = settings;
    this.#subscriptions = subscriptions;
  }

  /** There is a subscriber more. */
  added(): void {
    this.#looksAtMs.outbox = -Infinity;
    this.#looksAtMs.inbox = -Infinity;
    this.#refused.clear();
  }

  /** The transport had no route for a message of this name after all. */
  refused(name: string): void {
    this.#refused.set(name, this.#settings.clock.now());
  }

  /** Makes due what waits for a route that is here, once for each start and each subscriber; null after that. */
  makeDue(box: Box): Promise<number> | null {
    return this.#looksAtMs[box] === -Infinity ? this.#makeDue(box) : null;
  }

  /**
   * The same for one that has done what was due, and again after a pause. It looks only where something is due soon,
   * which is so wherever a message waits; null where it does not look.
   *
   * @param dueAtMs When something is due, in Unix milliseconds; null for never.
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
      // They are tried when they are due, and nothing else must wait for this.
      observe({ kind: "error", during: "unroutable", error });
      return 0;
    }
  }

  #isTaken(box: Box, name: string, group: string): boolean {
    if (box === "inbox") return this.#subscriptions.of(name).has(group);
    try {
      return !this.#refused.has(name) && hasRoute(this.#settings.transport, name, {});
    } catch {
      // It is tried when it is due, and the error shows there.
      return false;
    }
  }
}

/** Whether something is due later than now, and by `untilMs`. */
function isResting(dueAtMs: number | null, nowMs: number, untilMs: number): boolean {
  return dueAtMs !== null && dueAtMs > nowMs && dueAtMs <= untilMs;
}
