/**
 * Pulling: fetches entries, passes them to the receiver, and acknowledges those that it accepted. The bus
 * calls it from `tick()` and while it runs.
 *
 * @module
 */
import type { Message } from "../../../core/message/message.ts";
import type { DeliveryResult, Receiver } from "../../../core/ports/transport.ts";
import type { PullRequest, PullResult } from "../../../core/ports/pull.ts";
import { plainError } from "../plain_error.ts";
import { unlessAborted } from "./abort.ts";
import { Acks } from "./acks.ts";
import { messageOf } from "./entry.ts";
import { type Handed, handOver } from "./hand_over.ts";
import { type Fetched, PendingEntries, waitMs } from "./pending_entries.ts";
import type { StreamSettings } from "./options.ts";
import type { Parking, ToPark } from "./parking.ts";
import { type Entry, readNew } from "./reading.ts";
import { Names } from "./streams.ts";
import { requeuedKey, streamKey } from "./keys.ts";
import { TakeOver } from "./take_over.ts";
import { StreamPruner } from "./prune.ts";

/** The most entries of a stream that one call fetches; together with the pending ones below Upstash's limit. */
const MAX_COUNT = 250;
/** From this delivery on an entry is passed alone, because it may be the reason why its consumers died. */
const SLOW_FROM = 3;

/** Fetches for one group. */
export class Pull {
  readonly #settings: StreamSettings;
  readonly #parking: Parking;
  readonly #names: Names;
  readonly #pending = new PendingEntries();
  readonly #acks: Acks;
  readonly #takeOver: TakeOver;
  readonly #prune: StreamPruner;
  /** Until when streams are skipped because this consumer has reached its limit there, by key. */
  readonly #full = new Map<string, number>();
  /** How many calls in a row the receiver accepted nothing, and when it is tried again. */
  #refusals = 0;
  #resumeAtMs = 0;
  /** How many messages were ever kept. */
  #kept = 0;

  constructor(settings: StreamSettings, parking: Parking) {
    this.#settings = settings;
    this.#parking = parking;
    this.#names = new Names(settings);
    this.#acks = new Acks(settings);
    this.#takeOver = new TakeOver(settings);
    this.#prune = new StreamPruner(settings);
  }

  /** See `Transport.pull`. */
  async run(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult> {
    const { patterns, nowMs } = request;
    const round = new Round(request, deliver);
    const names = await round.wait(() => this.#names.matching(patterns, nowMs));
    if (names.length === 0) return { received: 0, more: false, nextAtMs: null };
    // Acknowledgements that were lost are sent first.
    await round.wait(() => this.#acks.flush());
    const own = new Set(names);
    await this.#hand(this.#pending.due(own, nowMs), round);
    const more = this.#refusals > 0 && nowMs < this.#resumeAtMs
      ? false
      : await this.#fetch(names, round);
    if (round.failure !== null) throw round.failure.error;
    return { received: round.kept, more, nextAtMs: this.#nextAtMs(own) };
  }

  /** Takes over idle entries of other consumers and passes them on; returns whether there is more. */
  async #fetch(names: readonly string[], round: Round): Promise<boolean> {
    const { keys, group } = this.#settings;
    const { nowMs, limit } = round.request;
    const isTrying = this.#refusals > 0;
    // A receiver that accepted nothing recently is tried with one message.
    const count = isTrying ? 1 : Math.min(limit, MAX_COUNT);
    const streams = [...names.map((name) => streamKey(keys, name)), requeuedKey(keys, group)];
    const open = streams.filter((key) => (this.#full.get(key) ?? 0) <= nowMs);
    const { entries, more, full } = this.#pending.hasCapacity
      ? await round.wait(() => readNew(this.#settings, names, open, count))
      : { entries: [], more: false, full: [] };
    for (const key of full) this.#full.set(key, nowMs + this.#settings.minIdleMs);
    await this.#open(entries, round);
    if (isTrying) return more && this.#refusals === 0;
    await round.attempt(async () => {
      const { won, entries } = await round.wait(() => this.#takeOver.run(streams, count, nowMs));
      await this.#open(entries.filter((entry) => !this.#pending.has(entry)), round);
      if (won) await round.wait(() => this.#prune.run(streams, nowMs));
    });
    return more || this.#takeOver.hasMore(streams);
  }

  /** Reads entries and passes them on. Entries that are not messages, or were fetched too often, are parked. */
  async #open(entries: readonly Entry[], round: Round): Promise<void> {
    const { maxDeliveries } = this.#settings;
    this.#pending.begin(entries);
    const fetched: Fetched[] = [];
    const toPark: ToPark[] = [];
    for (const entry of entries) {
      const read = readEntry(entry, round.request.nowMs);
      if (typeof read === "string") toPark.push({ entry, id: null, reason: read });
      else if (entry.deliveries > maxDeliveries) {
        const reason = `It was fetched ${entry.deliveries} times and never accepted`;
        toPark.push({ entry, id: read.id, reason });
      } else fetched.push({ entry, message: read, tries: 0, keptBefore: this.#kept });
    }
    await this.#park(toPark, round);
    await this.#hand(fetched.filter(({ entry }) => entry.deliveries < SLOW_FROM), round);
    for (const slow of fetched.filter(({ entry }) => entry.deliveries >= SLOW_FROM)) {
      await this.#hand([slow], round);
    }
  }

  /** Passes entries on, and settles each by its result. */
  async #hand(fetched: readonly Fetched[], round: Round): Promise<void> {
    if (fetched.length === 0) return;
    const { request: { nowMs, signal }, deliver } = round;
    const handed = await handOver(fetched.map(({ message }) => message), deliver, signal);
    const keptNow = handed.filter(({ kind }) => isKept(kind)).length;
    round.kept += keptNow;
    this.#kept += keptNow;
    const hasTaken = keptNow > 0 || handed.some(({ kind }) => kind === "rejected");
    if (hasTaken) this.#refusals = 0;
    // A second failure of the same entry says nothing about the receiver.
    else if (fetched.some(({ tries }) => tries === 0)) {
      this.#refusals += 1;
      this.#resumeAtMs = nowMs + waitMs(this.#refusals);
    }
    const toPark: ToPark[] = [];
    fetched.forEach((one, i) => {
      const result = handed[i] as Handed;
      const { entry, message } = one;
      if (isKept(result.kind)) {
        this.#pending.remove(entry);
        this.#acks.add(entry);
        return;
      }
      const next = this.#afterTry(one, result);
      const reason = this.#reasonToPark(next, result);
      if (reason !== null) toPark.push({ entry, id: message.id, reason });
      else this.#pending.keep(next, nowMs + this.#wait(next, result));
    });
    await this.#park(toPark, round);
    // Also when the bus no longer waits: accepted entries need not be fetched again.
    await round.attempt(() => this.#acks.flush());
  }

  #afterTry(one: Fetched, result: Handed): Fetched {
    // A stopping bus has not tried it, so another process of the group takes it over.
    if (result.kind === "refused" && result.code === "stopping") return one;
    if (result.kind === "unanswered" && !result.alone) return one;
    return {
      ...one,
      tries: one.tries + 1,
      keptBefore: one.tries === 0 ? this.#kept : one.keptBefore,
    };
  }

  /** Null for one that is tried again. An outage parks nothing: others must have been accepted meanwhile. */
  #reasonToPark({ tries, keptBefore }: Fetched, result: Handed): string | null {
    if (result.kind === "rejected") return result.reason;
    if (tries < this.#settings.maxDeliveries || this.#kept === keptBefore) return null;
    const why = "reason" in result ? result.reason : result.kind;
    return `It was not accepted ${tries} times: ${why}`;
  }

  #wait({ tries }: Fetched, result: Handed): number {
    const ownMs = waitMs(Math.max(tries, this.#refusals));
    if (result.kind !== "refused" || result.retryAfterMs === undefined) return ownMs;
    // Only a handler's own time may be sooner.
    return result.code === "retry_after" || result.code === "stopping"
      ? result.retryAfterMs
      : Math.max(ownMs, result.retryAfterMs);
  }

  async #park(toPark: readonly ToPark[], round: Round): Promise<void> {
    if (toPark.length === 0) return;
    await round.attempt(async () => {
      await this.#parking.park(toPark, round.request.nowMs);
      for (const { entry } of toPark) this.#acks.add(entry);
    });
    // One that could not be parked stays pending on the server, and is found again.
    for (const { entry } of toPark) this.#pending.remove(entry);
    await round.attempt(() => this.#acks.flush());
  }

  #nextAtMs(names: ReadonlySet<string>): number | null {
    const pendingAtMs = this.#pending.nextAtMs(names);
    if (this.#refusals === 0) return pendingAtMs;
    return Math.min(pendingAtMs ?? Infinity, this.#resumeAtMs);
  }
}

/** One call of `pull`. */
class Round {
  readonly request: PullRequest;
  readonly deliver: Receiver["deliver"];
  /** How many messages were kept. */
  kept = 0;
  /** The first error; the other work continued. */
  failure: { readonly error: unknown } | null = null;

  constructor(request: PullRequest, deliver: Receiver["deliver"]) {
    this.request = request;
    this.deliver = deliver;
  }

  /** Waits until the bus no longer waits. */
  wait<Result>(work: () => Promise<Result>): Promise<Result> {
    return unlessAborted(work, this.request.signal);
  }

  /** Runs work whose failure must not prevent the other work. */
  async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failure ??= { error };
    }
  }
}

function isKept(kind: Handed["kind"]): boolean {
  const kept: readonly DeliveryResult["kind"][] = ["accepted", "handled", "failed"];
  return (kept as readonly string[]).includes(kind);
}

/** The message, or why it cannot be read. */
function readEntry(entry: Entry, nowMs: number): Message | string {
  try {
    return messageOf(entry.fields, nowMs);
  } catch (error) {
    return plainError(error);
  }
}
