/**
 * Lets exactly one thing go wrong in a run of the simulation, at a known point, or nothing, and notes each point at
 * which something could.
 *
 * @module
 */
import { type Fault, Faults, weightsOf } from "../../tests/simulation/faults/fault.ts";

/** What goes wrong. */
export type Trouble =
  /** The process dies. */
  | "dies"
  /** The call does not reach what it is for. */
  | "fails"
  /** The call took effect, and its answer is lost. */
  | "unanswered"
  /** The database crashes, closes all connections, and has lost what it had not synced. */
  | "restarts"
  /** The process stands still for two minutes. */
  | "stands still"
  /** The call takes two minutes. */
  | "slow"
  /** The message comes twice at once. */
  | "twice"
  /** The message comes again a minute later. */
  | "late";

/** A point at which the simulation can let a fault happen. */
export interface Point {
  readonly fault: Fault;
  /** What it happens to, as the simulation names it. */
  readonly what: string;
  /** How many points with the same fault and name were before it. */
  readonly index: number;
}

/** How large each fault is: all last two minutes, longer than a lease, but a message that comes late by one. */
const SIZES: Partial<Record<Fault, number>> = {
  pause: 3,
  slow: 4,
  message_delayed: 60,
  message_late: 1,
};

/** The faults of a run: one or none. */
export class OneFault extends Faults {
  /** The points since it was armed. */
  readonly points: Point[] = [];
  /** Whether it has happened. */
  hasHappened = false;
  /** Whether the points count from here on. */
  isArmed = false;
  readonly #wanted: Point | null;
  readonly #trouble: Trouble;
  readonly #cause: (trouble: "dies" | "restarts", what: string) => void;
  readonly #counts = new Map<string, number>();

  /** @param cause Kills the process, or restarts the database, of the call with this name. */
  constructor(
    wanted: Point | null,
    trouble: Trouble,
    cause: (trouble: "dies" | "restarts", what: string) => void,
  ) {
    super({ seed: 1, weights: weightsOf(() => 0), spared: [] }, () => {});
    this.#wanted = wanted;
    this.#trouble = trouble;
    this.#cause = cause;
  }

  override happens(fault: Fault, _where: unknown, what: string, share = 1): boolean {
    if (!this.isArmed || share < 1) return false;
    const key = `${fault} ${what}`;
    const index = this.#counts.get(key) ?? 0;
    this.#counts.set(key, index + 1);
    this.points.push({ fault, what, index });
    const wanted = this.#wanted;
    if (wanted?.fault !== fault || wanted.what !== what || wanted.index !== index) return false;
    this.hasHappened = true;
    if (this.#trouble === "dies" || this.#trouble === "restarts") this.#cause(this.#trouble, what);
    return true;
  }

  override size(fault: Fault): number {
    return SIZES[fault] ?? 0;
  }

  /** The last of them: of the processes of a service, one that did not publish. */
  override pick<Item>(_fault: Fault, items: readonly Item[]): Item | undefined {
    return items.at(-1);
  }
}
