/**
 * The kinds of fault, how often a seed has each, and their counts.
 *
 * @module
 */
import { type ServiceName, SERVICES } from "../contracts.ts";
import { streamOf } from "../streams.ts";

/**
 * How likely each kind of fault is, each time that it can happen. A seed draws one of these for each kind, so that
 * each fault meets the others, and also comes alone.
 */
const LEVELS = {
  /** A process dies at a call or at a timer. */
  crash: [0, 0, 0.002, 0.006, 0.015],
  /** A process stands still, its timers too, often for longer than a lease. */
  pause: [0, 0, 0.003, 0.01],
  /** A call fails before it took effect. */
  request_lost: [0, 0.02, 0.05, 0.12],
  /** A call takes effect and fails. */
  answer_lost: [0, 0.02, 0.05, 0.12],
  /** A call takes long. */
  slow: [0, 0.02, 0.1],
  /** A commit is refused. */
  commit_refused: [0, 0, 0.05, 0.15],
  /** A message or its answer is lost between two services. */
  message_lost: [0, 0.05, 0.15],
  /** A message comes twice at once. */
  message_doubled: [0, 0.05, 0.15],
  /** A message comes again long after it was accepted. */
  message_late: [0, 0.05, 0.15],
  /** A message is under way for long. */
  message_delayed: [0, 0.05, 0.15],
  /** Messages of one call come in another order. */
  message_reordered: [0, 0.2],
  /** A process cannot reach other services, in a round. */
  partition: [0, 0, 0.1, 0.3],
  /** A process cannot reach its store, in a round. */
  store_outage: [0, 0, 0.1, 0.3],
  /** The database crashes and loses renewals that were not synced, in a round. */
  database_crash: [0, 0, 0.1, 0.3],
  /** A clock jumps, in a round. */
  clock_step: [0, 0, 0.1, 0.4],
  /** A handler throws. */
  handler_throws: [0, 0.05, 0.2],
  /** A handler does not end before it is aborted, and reports success then. */
  handler_hangs: [0, 0, 0.02, 0.06],
  /** A handler returns what its contract does not allow. */
  handler_lies: [0, 0, 0.05],
  /** No handler can handle a message. */
  poison: [0, 0.05, 0.1],
  /** A message kills each process that sends it, or each that handles it. */
  deadly: [0, 0, 0, 0.05],
  /** A process is stopped and replaced, in a round. */
  deploy: [0, 0.1, 0.3],
  /** A process that starts is of a version that lacks a subscriber, or has another group. */
  old_version: [0, 0, 0.5],
  /** An operator cancels a message, in a round. */
  operator_cancels: [0, 0.5, 1],
  /** An operator retries a failed message, in a round. */
  operator_retries: [0, 0.3, 1],
  /** An operator sends a waiting message now, in a round. */
  operator_sends: [0, 0.3, 1],
  /** An operator moves messages to another group, in a round. */
  operator_moves: [0, 0.5],
  /** A push provider dead-letters a message that it had accepted, in a round. */
  dead_lettered: [0, 0, 0.3],
} as const;

/** A kind of fault. */
export type Fault = keyof typeof LEVELS;

/** All kinds of fault. */
export const FAULTS: readonly Fault[] = Object.keys(LEVELS) as Fault[];

/** How likely each kind is, each time that it can happen, from 0 to 1. */
export type Weights = Readonly<Record<Fault, number>>;

/** Every kind as often as it can be. */
export const WORST: Weights = weightsBy((levels) => levels.at(-1) as number);

/** The weights of a seed. */
export function weightsOf(random: () => number): Weights {
  return weightsBy((levels) => levels[Math.floor(random() * levels.length)] as number);
}

function weightsBy(choose: (levels: readonly number[]) => number): Weights {
  return Object.fromEntries(FAULTS.map((fault) => [fault, choose(LEVELS[fault])])) as Weights;
}

/** One fault that a history does without: its kind, and how many of that kind were before it. */
export type Spared = `${Fault} ${number}`;

interface Kind {
  readonly weight: number;
  readonly random: () => number;
  /** How often it was drawn. */
  drawn: number;
}

/**
 * Draws faults. Each kind has a stream of chance of its own, so that a history without one of them is like the
 * history with it.
 */
export class Faults {
  /** How often each kind has happened to each service, in the order of {@linkcode FAULTS}. */
  readonly counts: Readonly<Record<ServiceName, Int32Array>> = Object.fromEntries(
    SERVICES.map((name) => [name, new Int32Array(FAULTS.length)]),
  ) as Record<ServiceName, Int32Array>;
  /** The faults that happened. */
  readonly happened: Spared[] = [];
  readonly #kinds: Readonly<Record<Fault, Kind>>;
  readonly #spared: ReadonlySet<Spared>;
  readonly #note: (what: string) => void;
  #isOver = false;

  constructor(
    { seed, weights, spared }: {
      readonly seed: number;
      readonly weights: Weights;
      readonly spared: readonly Spared[];
    },
    note: (what: string) => void,
  ) {
    this.#note = note;
    this.#spared = new Set(spared);
    this.#kinds = Object.fromEntries(FAULTS.map((fault): [Fault, Kind] => [
      fault,
      { weight: weights[fault], random: streamOf(seed, fault), drawn: 0 },
    ])) as Record<Fault, Kind>;
  }

  /** Whether nothing goes wrong any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nothing goes wrong from here on. */
  end(): void {
    this.#isOver = true;
  }

  /**
   * Whether a fault happens now.
   *
   * @param where The service that it happens to; null for all.
   * @param what What it happens to, for the history.
   * @param share How much rarer it is here than elsewhere.
   */
  happens(fault: Fault, where: ServiceName | null, what: string, share = 1): boolean {
    const kind = this.#kinds[fault];
    if (this.#isOver || kind.weight === 0 || kind.random() >= kind.weight * share) return false;
    const name: Spared = `${fault} ${kind.drawn++}`;
    if (this.#spared.has(name)) return false;
    this.happened.push(name);
    const index = FAULTS.indexOf(fault);
    for (const service of where === null ? SERVICES : [where]) {
      (this.counts[service] as Int32Array)[index]! += 1;
    }
    this.#note(`fault: ${fault} at ${what}`);
    return true;
  }

  /** How large a fault is, from 0 to 1. */
  size(fault: Fault): number {
    return this.#kinds[fault].random();
  }

  /** One of some, by chance. */
  pick<Item>(fault: Fault, items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.size(fault) * items.length)];
  }
}
