/**
 * A process of a simulation. Everything that its code does to the world goes through here: calls may fail, take
 * long, or be the last thing it does.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";
import type { Faults } from "./plan.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** What processes share. */
export interface Surroundings {
  readonly time: VirtualTime;
  /** A number in [0, 1), from the seed. */
  readonly random: () => number;
  /** How often things go wrong now. */
  readonly faults: Faults;
  /** Is told what happens. */
  readonly note: (what: string) => void;
}

/** The error of a call that failed because the simulation wanted it. */
export class Unlucky extends Error {}

/** How much less often a process dies when it reads its clock than at other calls: it reads it all the time. */
const KILLS_AT_CLOCK = 1 / 20;
/** How long slow calls take at the most, in milliseconds: most are short, few outlive a lease. */
const SLOW_MS = [20, 20, 300, 300, 3_000, 30_000];
/** How long a process stands still at the most, in milliseconds. */
export const PAUSED_MS = 40_000;

/** A process, which may die at any call. */
export class SimulatedProcess {
  /** Its clock; nobody is woken by it once the process is dead. */
  readonly clock: Clock;
  readonly #world: Surroundings;
  readonly #mourners = new Set<() => void>();
  #isDead = false;
  #pausedUntilMs = 0;
  /** How long it has stood still in all, in milliseconds. */
  pausedMs = 0;

  /** Starts a process whose clock is `skewMs` ahead of the time. */
  constructor(readonly name: string, world: Surroundings, skewMs: number) {
    this.#world = world;
    this.clock = {
      now: () => {
        this.#mayDie("clock", KILLS_AT_CLOCK);
        return world.time.nowMs + skewMs;
      },
      after: (delayMs, wake) =>
        world.time.after(delayMs, () => {
          this.#mayDie("timer");
          if (this.#isDead) return;
          if (this.#pausedUntilMs <= world.time.nowMs) return wake();
          this.resumed().then(() => this.#isDead || wake());
        }),
    };
  }

  /** Whether it has died. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Kills it: what it does from here on has no effect, and what it waits for never comes. */
  kill(why: string): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#world.note(`${this.name} dies: ${why}`);
    for (const hear of this.#mourners) hear();
    this.#mourners.clear();
  }

  /** Waits until it stands still no more. */
  async resumed(): Promise<void> {
    const { time } = this.#world;
    while (this.#pausedUntilMs > time.nowMs) await time.pause(this.#pausedUntilMs - time.nowMs);
  }

  /** A call of this process: `effect` is what it does to the world. */
  async call<Result>(what: string, effect: () => Promise<Result>): Promise<Result> {
    const { random } = this.#world;
    this.#mayDie(`before ${what}`);
    if (this.#isDead) return await never();
    this.#maybePause(what);
    await this.resumed();
    await this.#maybeSlow();
    // What it asked for before it died may be done yet.
    if (this.#isDead && random() < 0.5) return await never();
    this.mayFail(`no connection for ${what}`);
    return await this.answered(what, effect);
  }

  /** An effect on the world, at once, whose answer may come late, or not at all. */
  async answered<Result>(what: string, effect: () => Promise<Result>): Promise<Result> {
    const { note } = this.#world;
    let result: Result;
    try {
      result = await effect();
    } catch (error) {
      await this.resumed();
      if (this.#isDead) return await never();
      throw error;
    }
    note(`${this.name} ${what}`);
    this.#mayDie(`after ${what}`);
    if (!this.#isDead) await this.#maybeSlow();
    await this.resumed();
    if (this.#isDead) return await never();
    this.mayFail(`no answer to ${what}`);
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

  /** @throws {Unlucky} now and then. */
  mayFail(reason: string): void {
    if (this.#world.random() < this.#world.faults.errors) throw new Unlucky(reason);
  }

  #mayDie(where: string, share = 1): void {
    if (!this.#isDead && this.#world.random() < this.#world.faults.kills * share) this.kill(where);
  }

  #maybePause(where: string): void {
    const { random, faults, time, note } = this.#world;
    if (this.#pausedUntilMs > time.nowMs || random() >= faults.pauses) return;
    const pauseMs = Math.ceil(random() * PAUSED_MS);
    this.pausedMs += pauseMs;
    this.#pausedUntilMs = time.nowMs + pauseMs;
    note(`${this.name} stands still at ${where}`);
  }

  async #maybeSlow(): Promise<void> {
    const { random, faults, time } = this.#world;
    if (random() >= faults.slow) return;
    const mostMs = SLOW_MS[Math.floor(random() * SLOW_MS.length)] as number;
    await time.pause(Math.ceil(random() * mostMs));
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
