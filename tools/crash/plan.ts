/**
 * The plan of the faults of a crash run, all of it from one seed. Which process is the victim of a fault is a
 * share of those that run at the time, so the same seed repeats the plan, not the exact timing.
 *
 * @module
 */
import { randomFrom } from "../../tests/support/random.ts";
import { type ServiceName, SERVICES } from "./protocol.ts";

/** The moments of a COMMIT on its way through the proxy. */
export const MOMENTS = [
  /** Before it is passed on: the server never gets it. */
  "before the commit",
  /** As soon as it is passed on. */
  "commit sent",
  /** When its answer is back, which is dropped. */
  "before the answer",
] as const;

/** One of {@linkcode MOMENTS}. */
export type Moment = (typeof MOMENTS)[number];

/**
 * A fault. `victim` is a number in [0, 1): the share of the candidates that come before the victim. The candidates
 * are the processes that run, or the services.
 */
export type Fault =
  /** A process is killed, at a moment of its next COMMIT, or at once. */
  | { readonly kind: "kill"; readonly victim: number; readonly moment: Moment | "any" }
  /** The server is stopped as in a crash, and started again. */
  | { readonly kind: "restart" }
  /** A process stops past its lease, and continues. */
  | { readonly kind: "stop"; readonly victim: number; readonly forMs: number }
  /** A connection ends after some more bytes. */
  | {
    readonly kind: "cut";
    readonly where: "database" | "http";
    readonly victim: number;
    /** Which of the victim's connections, as a share like `victim`. */
    readonly connection: number;
    readonly bytes: number;
    readonly isReset: boolean;
  }
  /** A connection to the database ends at a moment of its next COMMIT. */
  | {
    readonly kind: "commit cut";
    readonly victim: number;
    readonly moment: Moment;
    readonly isReset: boolean;
  }
  /** The disk of the tables is full. */
  | { readonly kind: "full disk"; readonly forMs: number }
  /** The server of a service is killed, and its standby takes over, which is behind by so much time. */
  | { readonly kind: "failover"; readonly service: ServiceName; readonly lagMs: number };

/** A fault, and the time before it. */
export interface PlannedFault {
  readonly afterMs: number;
  readonly fault: Fault;
}

/** How many faults there are. */
interface Counts {
  readonly kills: number;
  readonly restarts: number;
  readonly failovers: number;
}

/** The lease of the services, in milliseconds. A stopped process stops for longer. */
export const LEASE_MS = 3_000;
/** The share of kills that are aimed at a COMMIT. */
const AIMED = 0.7;
/** The mean time between two kills, in milliseconds. */
const BETWEEN_KILLS_MS = 700;
/** How many kills there are for each stopped process, and for each full disk. */
/** The first comes after a few others, so that a very short run has none. */
const KILLS_PER_STOP = 6;
const KILLS_PER_FULL_DISK = 40;
/** The most that a standby is behind when it takes over, in milliseconds. */
const MAX_LAG_MS = 1_500;
/** The most bytes that still pass before a connection is cut. */
const MAX_BYTES_LEFT = 3_000;

/** The plan of a seed. */
export function planOf(seed: number, { kills, restarts, failovers }: Counts): PlannedFault[] {
  const random = randomFrom(seed);
  const slots = Math.max(kills, restarts, failovers);
  let service = seed;
  const plan: PlannedFault[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const faults: Fault[] = [];
    // The counts are spread evenly over the slots.
    const isTurn = (count: number) =>
      Math.floor((slot + 1) * count / slots) > Math.floor(slot * count / slots);
    if (isTurn(restarts)) faults.push({ kind: "restart" });
    // Each service in turn: what one loses, the other knows.
    if (isTurn(failovers)) faults.push(failover(SERVICES[service++ % SERVICES.length]!, random));
    if (slot % KILLS_PER_STOP === 2) faults.push(stop(random));
    if (slot % KILLS_PER_FULL_DISK === 4) {
      faults.push({ kind: "full disk", forMs: 1_000 + 3_000 * random() });
    }
    faults.push(cut(random));
    if (isTurn(kills)) faults.push(kill(random));
    for (const fault of faults) {
      plan.push({ afterMs: 2 * random() * BETWEEN_KILLS_MS / faults.length, fault });
    }
  }
  return plan;
}

/** More faults of a seed, one after the other, for a run whose plan is over before its messages. */
export function* moreFaults(seed: number): Generator<PlannedFault, never> {
  const random = randomFrom(seed + 1);
  for (;;) {
    const fault = random() < 0.1 ? stop(random) : cut(random);
    yield { afterMs: 2 * random() * BETWEEN_KILLS_MS, fault };
  }
}

function kill(random: () => number): Fault {
  const moment = random() < AIMED ? MOMENTS[Math.floor(random() * MOMENTS.length)]! : "any";
  return { kind: "kill", victim: random(), moment };
}

function failover(service: ServiceName, random: () => number): Fault {
  return { kind: "failover", service, lagMs: MAX_LAG_MS * random() };
}

function stop(random: () => number): Fault {
  return { kind: "stop", victim: random(), forMs: LEASE_MS * (1.25 + random()) };
}

function cut(random: () => number): Fault {
  const victim = random();
  const isReset = random() < 0.5;
  const kind = random();
  if (kind < 0.5) {
    const moment = MOMENTS[Math.floor(random() * MOMENTS.length)]!;
    return { kind: "commit cut", victim, moment, isReset };
  }
  const bytes = Math.floor(random() * MAX_BYTES_LEFT);
  const where = kind < 0.8 ? "database" : "http";
  return { kind: "cut", where, victim, connection: random(), bytes, isReset };
}
