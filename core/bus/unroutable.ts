/**
 * Messages that nobody here can take: how often they are tried, for how long, and who is woken for them.
 *
 * @module
 */
import type { Box, Unroutable } from "../lifecycle.ts";
import { UNROUTABLE_PAUSE_MS } from "../unroutable.ts";
import { dueTime, hasRoute } from "./checked_answers.ts";
import type { Settings } from "./options.ts";
import type { Subscriptions } from "./subscriber.ts";

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

/** Has messages that wait for a route tried at once by an instance that has just come to have it. */
export class NewRoutes<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  /** The sides on which messages may wait for what this instance brings. */
  readonly #unseen = new Set<Box>(["outbox", "inbox"]);

  constructor(settings: Settings<Tx>, subscriptions: Subscriptions<Tx>) {
    this.#settings = settings;
    this.#subscriptions = subscriptions;
  }

  /** There is a subscriber more. */
  added(): void {
    this.#unseen.add("outbox").add("inbox");
  }

  /** Makes due what waits for a route that is here, once for each start and each subscriber; null after that. */
  makeDue(box: Box): Promise<number> | null {
    if (!this.#unseen.has(box)) return null;
    return this.#makeDue(box, this.#settings.clock.now() + UNROUTABLE_PAUSE_MS);
  }

  /**
   * The same, for a tick that has done what was due. It looks only where something is due soon, which is so wherever
   * a message waits, and leaves out what was tried since the tick began.
   *
   * @param beganAtMs When the tick began, in Unix milliseconds.
   * @param dueAtMs When something is due, in Unix milliseconds; null for never.
   */
  async makeDueInTick(box: Box, beganAtMs: number, dueAtMs: number | null): Promise<number> {
    const untilMs = beganAtMs + UNROUTABLE_PAUSE_MS - 1;
    if (!this.#unseen.has(box) || !isResting(dueAtMs, this.#settings.clock.now(), untilMs)) {
      return 0;
    }
    return await this.#makeDue(box, untilMs);
  }

  async #makeDue(box: Box, untilMs: number): Promise<number> {
    const { store, clock, observe } = this.#settings;
    const groups = box === "inbox" ? this.#subscriptions.groups : undefined;
    this.#unseen.delete(box);
    if (store.makeUnroutableDue === undefined || groups?.length === 0) return 0;
    try {
      return await store.makeUnroutableDue(box, {
        nowMs: clock.now(),
        untilMs,
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
      return hasRoute(this.#settings.transport, name, {});
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
