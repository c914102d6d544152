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
 */
export type FaultKind =
  | "send_fails"
  | "answer_lost"
  | "delivered_twice"
  | "worker_dies"
  | "publish_unanswered";

/** The messages that a fault is for. */
export interface FaultOptions {
  /**
   * Only messages of this contract.
   *
   * @default all
   */
  readonly contract?: Pick<Contract, "name">;
  /**
   * For `worker_dies`: only handlers of this group.
   *
   * @default all
   */
  readonly group?: string;
  /**
   * How many times.
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
}

/** A fault that was injected. */
export interface InjectedFault {
  /** What goes wrong. */
  readonly kind: FaultKind;
  /** How many times it has yet to happen. */
  readonly timesLeft: number;
}

/** A fault, and how often it is yet to come. */
type Injected = { timesLeft: number; readonly kind: FaultKind; readonly options: FaultOptions };

/** The message that a fault may be for. */
interface Subject {
  readonly name: string;
  readonly group?: string;
}

const KINDS: readonly FaultKind[] = [
  "send_fails",
  "answer_lost",
  "delivered_twice",
  "worker_dies",
  "publish_unanswered",
];

const OPTIONS: Readonly<Record<keyof FaultOptions, OptionCheck>> = {
  contract: aContract,
  group: aTextLike(IDENTIFIER),
  times: aNumber({ whole: true, least: 1, most: Infinity }),
  when: oneOf("before", "after"),
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
    oneOf(...KINDS)("kind", kind, "inject a fault with");
    checkOptions("inject a fault with", options, OPTIONS);
    if (kind !== "worker_dies") {
      for (const option of ["group", "when"] as const) {
        if (options[option] === undefined) continue;
        throw optionError("inject a fault with", option, options[option], `none with "${kind}"`);
      }
    }
    const fault: Injected = { kind, options, timesLeft: options.times ?? 1 };
    this.#injected.push(fault);
    return fault;
  }

  /** Takes the next fault of these kinds for a message; null for none. */
  take(kinds: readonly FaultKind[], { name, group }: Subject): Injected | null {
    const fault = this.#injected.find(({ kind, timesLeft, options }) =>
      timesLeft > 0 && kinds.includes(kind) &&
      (options.contract === undefined || options.contract.name === name) &&
      (options.group === undefined || options.group === group)
    );
    if (fault === undefined) return null;
    fault.timesLeft -= 1;
    return fault;
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
