/**
 * The world of a test: the services in it, the clock that they share, and the transport between them.
 *
 * @module
 */
import { checkNumber } from "../../core/check_option.ts";
import { aNumber, checkOptions, MILLISECONDS } from "../../core/check_options.ts";
import { END_OF_TIME_MS } from "../../core/lifecycle/retry.ts";
import { MAX_TIMER_MS } from "../../core/ports/platform.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import type { TickReport } from "../../bus/api/tick_report.ts";
import {
  type InProcessTransport,
  inProcessTransport,
} from "../../adapters/memory/in_process_transport.ts";
import { type ManualClock, manualClock } from "../../adapters/memory/manual_clock.ts";
import { StoreFault } from "./faulty_store.ts";
import { type PendingMessage, StillPending } from "./pending.ts";
import { endsWithin, turn } from "./real_time.ts";
import { RunningHandlers } from "./running_handlers.ts";

/** What the kits of one test share. Pass that of one kit as the option `world` of the next. */
export interface TestWorld {
  /** The clock of all services in it. */
  readonly clock: ManualClock;
}

/** How long `drained` waits. */
export interface DrainOptions {
  /**
   * How far the virtual clock may be advanced, in milliseconds, to the times at which retries, delayed messages and
   * check-backs are due.
   *
   * @default 0
   */
  readonly withinMs?: number;
  /**
   * How long it may take in real time, in milliseconds, before what is still pending counts as stuck.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number;
}

/** A service in a world. */
interface WorldMember {
  /** Does what is due. */
  tick(): Promise<TickReport>;
  /** When its store is up again, in Unix milliseconds; null if it is up. */
  downUntilMs(): number | null;
  /** The id of its store, which is the same for all that use it. */
  storeId(): Promise<string>;
  /** What its store has not settled. */
  pending(): Promise<readonly PendingMessage[]>;
}

/** What came of a tick of a service. */
interface Round {
  /** Whether another one may find work at the same time. */
  readonly mayDoMore: boolean;
  /** In Unix milliseconds; null when nothing is scheduled. */
  readonly nextDueAtMs: number | null;
}

/** The implementation of {@linkcode TestWorld}. */
export class World implements TestWorld {
  readonly clock: ManualClock;
  readonly transport: InProcessTransport = inProcessTransport();
  readonly running: RunningHandlers = new RunningHandlers();
  readonly #members = new Set<WorldMember>();
  /** When work is due next, by the last ticks, in Unix milliseconds. */
  #nextDueAtMs: number | null = null;
  /** The last work of inline services, which the next one waits for. */
  #inline: Promise<void> = Promise.resolve();

  constructor(startMs: number | undefined) {
    this.clock = manualClock(startMs);
  }

  add(member: WorldMember): void {
    this.#members.add(member);
  }

  remove(member: WorldMember): void {
    this.#members.delete(member);
  }

  /** Does what is due now in all services, and what follows from it. */
  async settle(): Promise<void> {
    for (let isDone = false; !isDone;) {
      isDone = true;
      const times: number[] = [];
      for (const member of [...this.#members]) {
        const { mayDoMore, nextDueAtMs } = await this.#tick(member);
        if (mayDoMore) isDone = false;
        if (nextDueAtMs !== null) times.push(nextDueAtMs);
      }
      this.#nextDueAtMs = times.length === 0 ? null : Math.min(...times);
    }
  }

  /**
   * Lets a service do what is due. A bus that the test has stopped leaves the world. A tick that a fault of the store has
   * ended is repeated, as by a cron job: at once, or when the store is up again.
   */
  async #tick(member: WorldMember): Promise<Round> {
    try {
      const { received, sent, handled, checked, failed, nextDueAtMs } = await member.tick();
      return { mayDoMore: received + sent + handled + checked + failed > 0, nextDueAtMs };
    } catch (error) {
      if (error instanceof StoreFault) {
        const downUntilMs = member.downUntilMs();
        return { mayDoMore: downUntilMs === null, nextDueAtMs: downUntilMs };
      }
      if (!hasCode(error, "stopped")) throw error;
      this.remove(member);
      return { mayDoMore: false, nextDueAtMs: null };
    }
  }

  /**
   * Does what is due after a publish in mode `inline`. Within a handler it does nothing: the work that runs the handler
   * continues until nothing is due.
   */
  async settleInline(): Promise<void> {
    if (this.running.areAny) return;
    const work = this.#inline.then(() => this.settle());
    this.#inline = work.catch(() => {});
    await work;
  }

  /** Advances the clock, and does what is due at each time on the way. */
  async advance(ms: number): Promise<void> {
    const most = END_OF_TIME_MS - this.clock.now();
    checkNumber("ms", ms, { unit: "milliseconds", least: 0, most }, "advance the clock by");
    const untilMs = this.clock.now() + ms;
    await this.settle();
    while (this.clock.now() < untilMs) {
      const nowMs = this.clock.now();
      const next = this.#nextDueAtMs ?? untilMs;
      this.clock.advance((next > nowMs ? Math.min(next, untilMs) : untilMs) - nowMs);
      await this.settle();
    }
  }

  /** See `TestKit.drained`. */
  async drained(options: DrainOptions = {}): Promise<void> {
    checkOptions("drain with", options, DRAIN_OPTIONS);
    const { withinMs = 0, timeoutMs = 5_000 } = options;
    const untilMs = this.clock.now() + withinMs;
    const draining = { isOver: false };
    try {
      const work = this.#drain(untilMs, withinMs, draining);
      if (await endsWithin(work, timeoutMs)) return;
      throw new StillPending(await this.#pending(), `after ${timeoutMs} ms of real time:`);
    } finally {
      draining.isOver = true;
    }
  }

  async #drain(
    untilMs: number,
    withinMs: number,
    draining: { readonly isOver: boolean },
  ): Promise<void> {
    while (!draining.isOver) {
      await this.settle();
      const pending = await this.#pending();
      if (pending.length === 0) return;
      const nowMs = this.clock.now();
      const next = this.#nextDueAtMs;
      if (next === null) throw new StillPending(pending, "and no work is scheduled:");
      if (next > untilMs) {
        throw new StillPending(
          pending,
          `and the next work is due in ${next - nowMs} ms, after the end of withinMs ${withinMs}:`,
        );
      }
      // What is due and not done waits for something else, such as a free handler.
      if (next > nowMs) this.clock.advance(next - nowMs);
      else await turn();
    }
  }

  async #pending(): Promise<PendingMessage[]> {
    const stores = new Map<string, WorldMember>();
    for (const member of this.#members) stores.set(await member.storeId(), member);
    const lists = await Promise.all([...stores.values()].map((member) => member.pending()));
    return lists.flat();
  }
}

const DRAIN_OPTIONS = {
  withinMs: aNumber(MILLISECONDS),
  timeoutMs: aNumber({ unit: "milliseconds", least: 1, most: MAX_TIMER_MS }),
};
