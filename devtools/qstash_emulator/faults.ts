/**
 * Faults that a test injects into deliveries and into requests to the API.
 *
 * @module
 */
import { aList, anObject, aNumber, checkOptions } from "../../core/check_options.ts";

/** One attempt to deliver a message, before it is made. */
export interface DeliveryAttempt {
  /** The id of the message. */
  readonly messageId: string;
  /** Its destination. */
  readonly url: string;
  /** How often it has been tried before. */
  readonly retried: number;
  /** The number of the attempt among all of this emulator, from 1. */
  readonly count: number;
  /** Whether it is a message that was published, or a callback that QStash itself makes. */
  readonly kind: "message" | "callback" | "failure_callback";
}

/** A fault of an attempt to deliver. */
export type DeliveryFault =
  /** It never reaches its destination. */
  | { readonly kind: "request_lost" }
  /** It reaches its destination, and the answer is lost. */
  | { readonly kind: "answer_lost" }
  /** It reaches its destination twice, one after the other or both at once; the second answer counts. */
  | { readonly kind: "duplicate"; readonly atOnce?: boolean }
  /** It is made later. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** It is not answered until its time is up. */
  | { readonly kind: "hang" }
  /** An intermediary answers it. */
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };

/** A request to the API, before it is handled. */
export interface ApiRequest {
  /** The HTTP method. */
  readonly method: string;
  /** The path, and with it a destination that it names. */
  readonly path: string;
  /** The number of the request among all to this emulator, from 1. */
  readonly count: number;
}

/** A fault of a request to the API. */
export type ApiFault =
  /** It never arrives: `fetch` rejects, and a server ends the connection. */
  | { readonly kind: "request_lost" }
  /** It arrives and has its effect, and its answer is lost. */
  | { readonly kind: "answer_lost" }
  /** It gets this answer, and has no effect. */
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };

/** One item of a batch, before it is published. */
export interface BatchItem {
  /** Its destination. */
  readonly destination: string;
  /** Its index in the batch, from 0. */
  readonly index: number;
}

/** The faults of an emulator. Each function is called every time, and returns undefined for "no fault". */
export interface QstashFaults {
  /** Called before each attempt to deliver. */
  readonly delivery?: (attempt: DeliveryAttempt) => DeliveryFault | undefined;
  /** Called before each request to the API. */
  readonly api?: (request: ApiRequest) => ApiFault | undefined;
  /** Called for each item of a batch: returns the text of an error to answer instead of publishing it. */
  readonly batchItem?: (item: BatchItem) => string | undefined;
}

/** What {@linkcode seededFaults} takes. */
export interface SeededFaultsOptions {
  /** The same seed gives the same faults. */
  readonly seed: number;
  /** The part of attempts that fail, from 0 to 1. */
  readonly rate: number;
  /**
   * The kinds of faults, with equal probability.
   *
   * @default lost requests and lost answers
   */
  readonly kinds?: readonly DeliveryFault[];
}

/**
 * Random faults. They depend on the seed, the destination, the retry and the number of earlier such attempts,
 * and not on the order in which other destinations are reached.
 */
export function seededFaults(
  options: SeededFaultsOptions,
): (attempt: DeliveryAttempt) => DeliveryFault | undefined {
  checkOptions("make faults with", options, { kinds: aList(anObject) }, {
    seed: aNumber({ least: -Infinity, most: Infinity }),
    rate: aNumber({ least: 0, most: 1 }),
  });
  const kinds = options.kinds ?? [{ kind: "request_lost" }, { kind: "answer_lost" }];
  const counts = new Map<string, number>();
  return ({ url, retried }) => {
    const key = `${retried} ${url}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const chance = hashed(`${options.seed} ${key} ${count}`);
    if (chance >= options.rate) return undefined;
    return kinds[Math.floor(chance / options.rate * kinds.length)];
  };
}

/** A number in [0, 1) from a text: FNV-1a, mixed so that similar texts give far numbers. */
function hashed(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
