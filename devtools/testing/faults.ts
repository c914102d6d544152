/**
 * Faults that a test injects into the messages of a service.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import {
  aNumber,
  aTextLike,
  checkOptions,
  oneOf,
  type OptionCheck,
} from "../../core/check_options.ts";
import { optionError } from "../../core/check_option.ts";
import { IDENTIFIER } from "../../core/check_text.ts";
import { END_OF_TIME_MS } from "../../core/lifecycle/retry.ts";
import type { Contract } from "../../core/message/contract.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { ConsumeMiddleware } from "../../bus/api/middleware.ts";
import { aContract } from "./check_kit_values.ts";

/**
 * What goes wrong:
 *
 * - `send_fails`: a send fails, and nothing arrives.
 * - `answer_lost`: a message arrives, and the answer is lost: it is sent again.
 * - `delivered_twice`: a message is delivered twice.
 * - `worker_dies`: the process that runs a handler dies. Nothing is settled, and the handler's transaction is rolled
 *   back. The message is handled again when its lease has ended, after `leaseMs`.
 * - `publish_unanswered`: a publish without `tx` is stored, and the store's answer is lost: the publish rejects with
 *   `OutcomeUnknown`.
 * - `commit_unanswered`: a transaction of `bus.transaction` commits, and the store's answer is lost: it rejects with
 *   `outcome_unknown`.
 * - `claim_unanswered`: messages are claimed, and the store's answer is lost: nobody works on them until their leases
 *   end, after `leaseMs`.
 * - `settle_unanswered`: messages are settled, in the transaction of a handler or outside, and the store's answer is
 *   lost.
 * - `store_down`: for `forMs`, every call to the store fails, and open transactions are rolled back.
 * - `store_slow`: for `forMs`, every call to the store takes `slowMs`. The calls advance the clock of the world
 *   themselves.
 */
export type FaultKind =
  | "send_fails"
  | "answer_lost"
  | "delivered_twice"
  | "worker_dies"
  | "publish_unanswered"
  | "commit_unanswered"
  | "claim_unanswered"
  | "settle_unanswered"
  | "store_down"
  | "store_slow";

/** The messages that a fault is for. */
export interface FaultOptions {
  /**
   * Only messages of this contract.
   *
   * @default all
   */
  readonly contract?: Pick<Contract, "name">;
  /**
   * For `worker_dies`: only handlers of this group. For `claim_unanswered` and `settle_unanswered`: only messages in the
   * inbox of this group.
   *
   * @default all
   */
  readonly group?: string;
  /**
   * How many times. Not for `store_down` and `store_slow`.
   *
   * @default 1
   */
  readonly times?: number;
  /**
   * For `worker_dies`: whether the process dies before or after the handler has run. After it, what the handler did
   * outside `tx` stays.
   *
   * @default "after"
   */
  readonly when?: "before" | "after";
  /**
   * For `store_down` and `store_slow`: for how many milliseconds of the virtual clock, from now on.
   *
   * @default 10_000
   */
  readonly forMs?: number;
  /**
   * For `store_slow`: how long a call takes, in milliseconds of the virtual clock.
   *
   * @default 1_000
   */
  readonly slowMs?: number;
}

/** A fault that was injected. */
export interface InjectedFault {
  /** What goes wrong. */
  readonly kind: FaultKind;
  /** How many times it has yet to happen. Of `store_down` and `store_slow` it is 0 once a call has met it. */
  readonly timesLeft: number;
}

/** A fault, and how often it is yet to come. */
interface Injected {
  timesLeft: number;
  readonly kind: FaultKind;
  readonly options: FaultOptions;
  /** When a fault of some duration ends, in Unix milliseconds. */
  readonly untilMs: number;
  /** How long a call to a slow store takes, in milliseconds. */
  readonly slowMs: number;
}

/** How long a fault lasts by default, in milliseconds. */
const FOR_MS = 10_000;

/** How long a call to a slow store takes by default, in milliseconds. */
const SLOW_MS = 1_000;

/** The message that a fault may be for. */
export interface FaultSubject {
  /** The name of the message. */
  readonly name: string;
  /** The group that handles it; omitted where there is none. */
  readonly group?: string;
}

/** The options that each kind heeds. */
const HEEDED: Readonly<Record<FaultKind, readonly (keyof FaultOptions)[]>> = {
  send_fails: ["contract", "times"],
  answer_lost: ["contract", "times"],
  delivered_twice: ["contract", "times"],
  worker_dies: ["contract", "times", "group", "when"],
  publish_unanswered: ["contract", "times"],
  commit_unanswered: ["times"],
  claim_unanswered: ["contract", "times", "group"],
  settle_unanswered: ["contract", "times", "group"],
  store_down: ["forMs"],
  store_slow: ["forMs", "slowMs"],
};

/** A time of the fault, which is not endless, so that a test ends. */
const aTime = aNumber({ unit: "milliseconds", least: 1, most: END_OF_TIME_MS });

const OPTIONS: Readonly<Record<keyof FaultOptions, OptionCheck>> = {
  contract: aContract,
  group: aTextLike(IDENTIFIER),
  times: aNumber({ whole: true, least: 1, most: Infinity }),
  when: oneOf("before", "after"),
  forMs: aTime,
  slowMs: aTime,
};

/** The faults of a service. */
export class Faults {
  readonly #injected: Injected[] = [];
  readonly #clock: Pick<Clock, "now">;
  readonly #leaseMs: number;
  /** The messages whose worker has died, with the end of their leases in Unix milliseconds. */
  readonly #dead = new Map<string, number>();

  constructor(clock: Pick<Clock, "now">, leaseMs: number) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  inject(kind: FaultKind, options: FaultOptions = {}): InjectedFault {
    oneOf(...Object.keys(HEEDED))("kind", kind, "inject a fault with");
    checkOptions("inject a fault with", options, OPTIONS);
    for (const option of Object.keys(options) as (keyof FaultOptions)[]) {
      if (options[option] === undefined || HEEDED[kind].includes(option)) continue;
      throw optionError("inject a fault with", option, options[option], `none with "${kind}"`);
    }
    const { times = 1, forMs = FOR_MS, slowMs = SLOW_MS } = options;
    const untilMs = this.#clock.now() + forMs;
    const fault: Injected = { kind, options, timesLeft: times, untilMs, slowMs };
    this.#injected.push(fault);
    return fault;
  }

  /** Takes the next fault of these kinds for a message; null for none. */
  take(kinds: readonly FaultKind[], { name, group }: FaultSubject): Injected | null {
    const fault = this.#injected.find(({ kind, timesLeft, options }) =>
      timesLeft > 0 && kinds.includes(kind) &&
      (options.contract === undefined || options.contract.name === name) &&
      (options.group === undefined || options.group === group)
    );
    if (fault === undefined) return null;
    fault.timesLeft -= 1;
    return fault;
  }

  /** Whether a fault of these kinds is yet to come. */
  awaits(kinds: readonly FaultKind[]): boolean {
    return this.#injected.some(({ kind, timesLeft }) => timesLeft > 0 && kinds.includes(kind));
  }

  /** The fault of a kind that lasts the longest, if it lasts now; null for none. */
  lasting(kind: "store_down" | "store_slow"): Injected | null {
    const nowMs = this.#clock.now();
    return this.#injected
      .filter((fault) => fault.kind === kind && fault.untilMs > nowMs)
      .sort((a, b) => b.untilMs - a.untilMs)[0] ?? null;
  }

  /** Lets the process of a handler die. To the bus that looks like a claim that another worker has taken over. */
  readonly middleware: ConsumeMiddleware = async (body, { message: { id, name }, group }, next) => {
    const key = `${id}\n${group}`;
    // The bus may handle the messages of a failed batch again at once, which a dead process does not.
    if ((this.#dead.get(key) ?? -Infinity) > this.#clock.now()) throw died(id);
    const fault = this.take(["worker_dies"], { name, group });
    if (fault === null) return await next(body);
    // The process dies, whatever the handler ends with.
    if (fault.options.when !== "before") await next(body).catch(() => {});
    this.#dead.set(key, this.#clock.now() + this.#leaseMs);
    throw died(id);
  };
}

function died(id: string): AtlastError {
  return new AtlastError(
    "lease_lost",
    `Cannot go on with message "${id}": the test let its worker die`,
  );
}
