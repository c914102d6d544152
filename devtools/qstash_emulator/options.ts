/**
 * The options of an emulator, and their defaults.
 *
 * @module
 */
import {
  aFunction,
  aNumber,
  aSecret,
  aText,
  checkOptions,
  nested,
  oneOf,
  type OptionCheck,
  type OptionTable,
  withMethods,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { QSTASH_ASSUMPTIONS, type QstashAssumptions } from "./assumptions.ts";
import { REAL_TIME, type VirtualTime } from "./clock.ts";
import type { QstashFaults } from "./faults.ts";
import { QSTASH_PLANS, type QstashLimits, type QstashPlan } from "./plans.ts";
import type { QstashState } from "./records.ts";

/** The two signing keys. */
export interface QstashKeys {
  /** The key that signs. */
  readonly current: string;
  /** The key that signs after the next rotation. */
  readonly next: string;
}

/** An event of a message, without its body and headers. */
export interface QstashEvent {
  /** When, in Unix milliseconds. */
  readonly atMs: number;
  /** The new state of the message. */
  readonly state: QstashState;
  /** The id of the message. */
  readonly messageId: string;
  /** Its destination. */
  readonly url: string;
  /** Whether it was published, or is a callback that QStash itself makes. */
  readonly kind: "message" | "callback" | "failure_callback";
  /** How often it had been retried. */
  readonly retried: number;
  /** The status of the answer; 0 for none. Only for an attempt. */
  readonly status?: number;
}

/** What {@linkcode createQstashEmulator} takes. */
export interface QstashEmulatorOptions {
  /**
   * The token that clients send.
   *
   * @default that of the official development server
   */
  readonly token?: string;
  /**
   * A token that may read and not publish or change.
   *
   * @default none
   */
  readonly readOnlyToken?: string;
  /**
   * The signing keys.
   *
   * @default those of the official development server
   */
  readonly signingKeys?: QstashKeys;
  /**
   * Sends requests to destinations, such as an app in this process.
   *
   * @default the platform's `fetch`
   */
  readonly fetch?: (request: Request) => Response | Promise<Response>;
  /**
   * The source of the time. A {@linkcode virtualClock} changes only when it is advanced.
   *
   * @default the platform's clock
   */
  readonly clock?: Clock | VirtualTime;
  /**
   * Numbers in [0, 1) for ids and keys.
   *
   * @default Math.random
   */
  readonly random?: () => number;
  /**
   * The plan whose limits apply.
   *
   * @default "payg"
   */
  readonly plan?: QstashPlan;
  /** Limits that differ from the plan's. */
  readonly limits?: Partial<QstashLimits>;
  /**
   * Injected faults.
   *
   * @default none
   */
  readonly faults?: QstashFaults;
  /** How it behaves where the documentation does not specify it. */
  readonly assume?: Partial<QstashAssumptions>;
  /**
   * The region that deliveries name.
   *
   * @default "EU-CENTRAL-1"
   */
  readonly region?: "EU-CENTRAL-1" | "US-EAST-1";
  /**
   * The address that publishers appear to have.
   *
   * @default "127.0.0.1"
   */
  readonly callerIp?: string;
  /** Called with each event of a message. */
  readonly onEvent?: (event: QstashEvent) => void;
}

/** The public constants of the official development server, which its client's `devMode` uses. */
export const DEV_TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=";

/** Its signing keys. */
export const DEV_KEYS: QstashKeys = {
  current: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
  next: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
};

/** The options with their defaults. */
export interface Settings {
  readonly token: string;
  readonly readOnlyToken: string | null;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: QstashLimits;
  readonly faults: QstashFaults;
  readonly assume: QstashAssumptions;
  readonly region: string;
  readonly callerIp: string;
  readonly onEvent: (event: QstashEvent) => void;
}

/** A number for each limit; Infinity for none. */
const LIMITS = fieldsOf(QSTASH_PLANS.payg, () => aNumber({ least: 0, most: Infinity }));

/** A value of the type of each default. */
const ASSUMPTIONS = fieldsOf(
  QSTASH_ASSUMPTIONS,
  (value) => typeof value === "number" ? aNumber({ least: 0, most: Infinity }) : aText,
);

/** The checks of the options. */
export const EMULATOR_OPTIONS: Readonly<Record<keyof QstashEmulatorOptions, OptionCheck>> = {
  token: aSecret,
  readOnlyToken: aSecret,
  signingKeys: nested({}, { current: aSecret, next: aSecret }),
  fetch: aFunction,
  clock: withMethods("now", "after"),
  random: aFunction,
  plan: oneOf(...Object.keys(QSTASH_PLANS)),
  limits: nested(LIMITS),
  faults: nested({ delivery: aFunction, api: aFunction, batchItem: aFunction }),
  assume: nested(ASSUMPTIONS),
  region: oneOf("EU-CENTRAL-1", "US-EAST-1"),
  callerIp: aText,
  onEvent: aFunction,
};

function fieldsOf(defaults: object, checkOf: (value: unknown) => OptionCheck): OptionTable {
  return Object.fromEntries(
    Object.entries(defaults).map(([field, value]) => [field, checkOf(value)]),
  );
}

/**
 * Reads the options.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function readOptions(options: QstashEmulatorOptions): Settings {
  checkOptions("make an emulator with", options, EMULATOR_OPTIONS);
  const { plan = "payg" } = options;
  const secrets = { token: options.token, ...options.signingKeys };
  for (const [name, value] of Object.entries(secrets)) {
    if (value === "") {
      throw new AtlastError(
        "invalid_option",
        `Cannot use ${name}: got an empty text, want a secret`,
      );
    }
  }
  return {
    token: options.token ?? DEV_TOKEN,
    readOnlyToken: options.readOnlyToken ?? null,
    // Called as a plain function: Workers refuse a `fetch` that is called as a method.
    fetch: options.fetch ?? ((request) => fetch(request)),
    clock: options.clock ?? REAL_TIME,
    random: options.random ?? Math.random,
    limits: { ...QSTASH_PLANS[plan], ...options.limits },
    faults: options.faults ?? {},
    assume: { ...QSTASH_ASSUMPTIONS, ...options.assume },
    region: options.region ?? "EU-CENTRAL-1",
    callerIp: options.callerIp ?? "127.0.0.1",
    onEvent: options.onEvent ?? (() => {}),
  };
}
