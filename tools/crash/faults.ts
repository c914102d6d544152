/**
 * Puts the faults of a plan into effect, and counts them.
 *
 * @module
 */
import type { Backend } from "./backends/backend.ts";
import type { Carrier } from "./carriers/carrier.ts";
import type { Fleet, Worker } from "./fleet.ts";
import type { Fault, Moment } from "./plan.ts";
import { type ServiceName, SERVICES } from "./protocol.ts";
import { rest } from "./rest.ts";
import type { SmallDisk } from "./small_disk.ts";

/** How many more messages are in flight before a kill is aimed, because some are settled until it happens. */
const MARGIN = 1.5;
/** How long a kill waits for that, and for the commit that it is aimed at, in milliseconds. */
const IN_FLIGHT_WAIT_MS = 60_000;
const COMMIT_WAIT_MS = 1_000;
/** What counts as close to a commit, in milliseconds. */
const CLOSE_MS = 50;

/** What is made to fail. */
export interface Parts {
  readonly fleet: Fleet;
  readonly backend: Backend;
  readonly carrier: Carrier;
  /** Null where none may be mounted. */
  readonly disk: SmallDisk | null;
  /** How many messages are in flight now. */
  readonly inFlight: () => number;
  /** How many messages are in flight at least when a process is killed. */
  readonly minInFlight: number;
}

/** The faults of a run. */
export class Faults {
  readonly #parts: Parts;
  /** Faults that last. */
  readonly #lasting = new Set<Promise<void>>();
  /** The error of the first one that could not be put into effect. */
  #failure: { readonly error: unknown } | null = null;
  /** The last restart or failover: one at a time. */
  #restarting: Promise<void> = Promise.resolve();
  #filling: Promise<void> = Promise.resolve();
  /** How many messages were in flight at each kill. */
  readonly inFlightAtKills: number[] = [];
  /** How many kills were close behind a commit of the same process. */
  closeKills = 0;
  restarts = 0;
  stops = 0;
  fullDisks = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many processes were killed. */
  get kills(): number {
    return this.inFlightAtKills.length;
  }

  /** Puts a fault into effect. One that lasts goes on behind it. */
  async inject(fault: Fault): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    const { fleet } = this.#parts;
    switch (fault.kind) {
      case "kill":
        return await this.#kill(fault);
      case "restart":
        await this.#restarting;
        this.#restarting = this.#lasts(this.#restart());
        return;
      case "stop":
        this.#lasts(this.#stop(fault.victim, fault.forMs));
        return;
      case "failover":
        await this.#restarting;
        this.#restarting = this.#lasts(this.#parts.backend.failOver(fault.service, fault.lagMs));
        return;
      case "full disk":
        await this.#filling;
        this.#filling = this.#lasts(this.#fill(fault.forMs));
        return;
      case "cut": {
        const { where, victim, connection, bytes, isReset } = fault;
        const proxy = where === "http"
          ? fleet.doorOf(SERVICES[Math.floor(victim * SERVICES.length)] as ServiceName)
          : this.#victim(victim)?.database;
        proxy?.cut(connection, bytes, isReset);
        return;
      }
      case "commit cut": {
        const { victim, moment, isReset } = fault;
        this.#victim(victim)?.database?.atNextCommit(moment, isReset, () => {});
      }
    }
  }

  /** Waits until the faults that last are over. */
  async settled(): Promise<void> {
    while (this.#lasting.size > 0) await Promise.all(this.#lasting);
    if (this.#failure !== null) throw this.#failure.error;
  }

  #lasts(fault: Promise<void>): Promise<void> {
    const lasting = fault
      .catch((error) => void (this.#failure ??= { error }))
      .finally(() => this.#lasting.delete(lasting));
    this.#lasting.add(lasting);
    return lasting;
  }

  #victim(share: number): Worker | undefined {
    const candidates = this.#parts.fleet.awake;
    return candidates[Math.floor(share * candidates.length)];
  }

  async #kill(
    { victim: share, moment }: { victim: number; moment: Moment | "any" },
  ): Promise<void> {
    const since = performance.now();
    while (
      this.#parts.inFlight() < this.#parts.minInFlight * MARGIN || this.#victim(share) === undefined
    ) {
      if (performance.now() - since > IN_FLIGHT_WAIT_MS) {
        throw new Error(`Cannot kill: ${this.#parts.inFlight()} messages in flight for a minute`);
      }
      await rest(20);
    }
    const victim = this.#victim(share) as Worker;
    const isAimed = moment !== "any" && await this.#killAtCommit(victim, moment);
    if (!isAimed) this.#killNow(victim);
    await victim.process.exited;
  }

  /** Kills at a moment of the next commit; false if none came in time. */
  async #killAtCommit(victim: Worker, moment: Moment): Promise<boolean> {
    const killed = Promise.withResolvers<void>();
    if (victim.database === null) return false;
    const giveUp = victim.database.atNextCommit(moment, true, () => {
      this.#killNow(victim);
      killed.resolve();
    });
    await Promise.race([killed.promise, rest(COMMIT_WAIT_MS)]);
    return !giveUp();
  }

  #killNow({ process, database }: Worker): void {
    if (process.ending !== null) return;
    process.kill();
    if (performance.now() - (database?.lastCommitAt ?? -Infinity) <= CLOSE_MS) this.closeKills += 1;
    this.inFlightAtKills.push(this.#parts.inFlight());
  }

  async #restart(): Promise<void> {
    // A server that restarts needs its disk.
    await this.#filling;
    await Promise.all([this.#parts.backend.crash(), this.#parts.carrier.crash()]);
    this.restarts += 1;
  }

  async #stop(share: number, forMs: number): Promise<void> {
    const victim = this.#victim(share);
    if (victim === undefined) return;
    this.stops += 1;
    victim.process.pause();
    await rest(forMs);
    victim.process.resume();
  }

  async #fill(forMs: number): Promise<void> {
    const { disk } = this.#parts;
    if (disk === null) return;
    await this.#restarting;
    disk.fill();
    this.fullDisks += 1;
    await rest(forMs);
    disk.free();
  }
}
