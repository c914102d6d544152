/**
 * A process of a simulation. Everything that its code does to the world goes through here: calls may fail, take
 * long, or be the last thing it does.
 *
 * @module
 */
import type { Clock } from "../../../core/ports/platform.ts";
import type { ServiceName } from "../contracts.ts";
import type { VirtualTime } from "../virtual_time.ts";
import type { Faults } from "./fault.ts";

/** What processes share. */
export interface Surroundings {
  readonly time: VirtualTime;
  readonly faults: Faults;
  /** Is told of each call. */
  readonly note: (what: string) => void;
  /** Is told what a person wants to know. */
  readonly event: (what: string) => void;
}

/** The error of a call that failed because the simulation wanted it. */
export class Unlucky extends Error {}

/** What a process reaches over a network. */
export type Via = "store" | "network";

/** How much less often a process dies when it reads its clock than at other calls: it reads it all the time. */
const CRASHES_AT_CLOCK = 1 / 20;
/** How long slow calls take at the most, in milliseconds: most are short, few outlive a lease. */
const SLOW_MS = [20, 20, 300, 300, 3_000, 30_000];
/** The longest of them. */
export const LONGEST_SLOW_MS = 30_000;
/** How long it takes until a connection is refused, in milliseconds. */
export const REFUSED_MS = 50;
/** How long a process stands still at the most, in milliseconds. */
export const PAUSED_MS = 40_000;

/** A process, which may die at any call. */
export class SimulatedProcess {
  /** Its clock; nobody is woken by it once the process is dead. */
  readonly clock: Clock;
  /** How far its clock is ahead of the time, in milliseconds. */
  skewMs: number;
  /** How long it has stood still in all, in milliseconds. */
  pausedMs = 0;
  /** Until when it cannot reach something, in Unix milliseconds. */
  readonly cutUntilMs: Record<Via, number> = { store: 0, network: 0 };
  readonly #world: Surroundings;
  readonly #mourners = new Set<() => void>();
  #isDead = false;
  #pausedUntilMs = 0;

  /** Starts a process of a service. */
  constructor(
    readonly name: string,
    readonly service: ServiceName,
    world: Surroundings,
    skewMs: number,
  ) {
    this.#world = world;
    this.skewMs = skewMs;
    this.clock = {
      now: () => {
        this.#mayDie("its clock", CRASHES_AT_CLOCK);
        return world.time.nowMs + this.skewMs;
      },
      after: (delayMs, wake) =>
        world.time.after(delayMs, () => {
          this.#mayDie("a timer");
          if (this.#isDead) return;
          if (!this.#isPaused) return wake();
          this.resumed().then(() => this.#isDead || wake());
        }),
    };
  }

  /** Whether it has died. */
  get isDead(): boolean {
    return this.#isDead;
  }

  get #isPaused(): boolean {
    return this.#pausedUntilMs > this.#world.time.nowMs;
  }

  /** Kills it: what it does from here on has no effect, and what it waits for never comes. */
  kill(why: string): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#world.event(`${this.name} ends: ${why}`);
    for (const hear of this.#mourners) hear();
    this.#mourners.clear();
  }

  /** Waits until it stands still no more. */
  async resumed(): Promise<void> {
    const { time } = this.#world;
    while (this.#isPaused) await time.pause(this.#pausedUntilMs - time.nowMs);
  }

  /** A call of this process: `effect` is what it does to the world. */
  async call<Result>(what: string, effect: () => Promise<Result>, via?: Via): Promise<Result> {
    const { faults, time } = this.#world;
    this.#mayDie(what);
    if (this.#isDead) return await never();
    this.#maybePause(what);
    if (this.#isPaused) await this.resumed();
    const slow = this.#maybeSlow(what);
    if (slow !== null) await slow;
    // What it requested before it died may be done yet.
    if (this.#isDead && faults.size("crash") < 0.5) return await never();
    if (via !== undefined && this.isCut(via)) {
      await time.pause(REFUSED_MS);
      this.mustReach(via);
    }
    this.#mayFail("request_lost", what);
    return await this.answered(what, effect);
  }

  /** An effect on the world, at once, whose answer may come late, or not at all. */
  async answered<Result>(what: string, effect: () => Promise<Result>): Promise<Result> {
    let result: Result;
    try {
      result = await effect();
    } catch (error) {
      if (this.#isPaused) await this.resumed();
      if (this.#isDead) return await never();
      throw error;
    }
    this.#world.note(`${this.name} ${what}`);
    this.#mayDie(what);
    const late = this.#isDead ? null : this.#maybeSlow(what);
    if (late !== null) await late;
    if (this.#isPaused) await this.resumed();
    if (this.#isDead) return await never();
    this.#mayFail("answer_lost", what);
    return result;
  }

  /** Waits, on the side of another, for this process; rejects when it dies. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    let hear: () => void = () => {};
    const dead = new Promise<never>((_resolve, reject) => {
      hear = () => reject(new Unlucky("connection reset"));
      this.#mourners.add(hear);
    });
    if (this.#isDead) hear();
    try {
      const result = await Promise.race([dead, work()]);
      if (this.#isDead) throw new Unlucky("connection reset");
      return result;
    } finally {
      this.#mourners.delete(hear);
    }
  }

  /** Whether it cannot reach something. */
  isCut(via: Via): boolean {
    return this.cutUntilMs[via] > this.#world.time.nowMs;
  }

  /** @throws {Unlucky} when it cannot reach something. */
  mustReach(via: Via): void {
    if (this.isCut(via)) throw new Unlucky(`${via} unreachable`);
  }

  /** @throws {Unlucky} now and then. */
  mayRefuseCommit(): void {
    this.#mayFail("commit_refused", "a commit");
  }

  #mayFail(fault: "request_lost" | "answer_lost" | "commit_refused", what: string): void {
    if (this.#world.faults.happens(fault, this.service, `${this.name} ${what}`)) {
      throw new Unlucky(`${fault}: ${what}`);
    }
  }

  #mayDie(what: string, share = 1): void {
    if (this.#isDead) return;
    if (this.#world.faults.happens("crash", this.service, `${this.name} ${what}`, share)) {
      this.kill("crash");
    }
  }

  #maybePause(what: string): void {
    if (this.#isPaused) return;
    const { faults, time } = this.#world;
    if (!faults.happens("pause", this.service, `${this.name} ${what}`)) return;
    const pauseMs = Math.ceil(faults.size("pause") * PAUSED_MS);
    this.pausedMs += pauseMs;
    this.#pausedUntilMs = time.nowMs + pauseMs;
  }

  /** Null where nothing is to be waited for. */
  #maybeSlow(what: string): Promise<void> | null {
    const { faults, time } = this.#world;
    if (!faults.happens("slow", this.service, `${this.name} ${what}`)) return null;
    const mostMs = faults.pick("slow", SLOW_MS) as number;
    return time.pause(Math.ceil(faults.size("slow") * mostMs));
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
