/**
 * The options of a test kit.
 *
 * @module
 */
import {
  aList,
  aNumber,
  checkOptions,
  MILLISECONDS,
  oneOf,
  type OptionCheck,
} from "../../core/check_options.ts";
import { optionError } from "../../core/check_option.ts";
import { END_OF_TIME_MS } from "../../core/lifecycle/retry.ts";
import type { Contract } from "../../core/message/contract.ts";
import type { Store } from "../../core/ports/store.ts";
import type { BusOptions } from "../../bus/api/bus_options.ts";
import { BUS_OPTIONS } from "../../bus/settings/check_bus_options.ts";
import type { MemoryTransaction } from "../../adapters/memory/transaction.ts";
import { aDestination } from "./check_kit_values.ts";
import { type TestWorld, World } from "./world.ts";

/**
 * The options of a test kit: those of `createBus` except `transport`, `clock` and `subscribers`, and those below. Settled
 * messages are kept for ever, and `random` always returns 0.5, unless these options say otherwise.
 */
export interface TestKitOptions<Tx = MemoryTransaction, BusinessTx = unknown>
  extends Omit<BusOptions<Tx, BusinessTx>, "store" | "transport" | "clock" | "subscribers"> {
  /**
   * The store, for handlers that write with `tx`, such as one on PGlite.
   *
   * @default a new memory store
   */
  readonly store?: Store<Tx>;
  /**
   * When messages are sent and handled. With `manual` nothing happens until `tick`, `advance` or `drained`. With
   * `inline` a publish is handled before its promise resolves, together with what follows from it at the same time; one
   * in a transaction is handled before `bus.transaction` resolves, or at the next `bus.flush`.
   *
   * @default "manual"
   */
  readonly mode?: "inline" | "manual";
  /**
   * The world of another kit, for a test with several services. They receive what any of them publishes, share a
   * clock, and `tick`, `advance` and `drained` of each kit work for all of them.
   *
   * @default a new one
   */
  readonly world?: TestWorld;
  /**
   * The messages that services outside the test take: contracts, or patterns of names such as `#`. They count as sent.
   *
   * @default none: publishing a message that no kit of the world subscribes to throws `no_route`
   */
  readonly outside?: readonly (Pick<Contract, "name"> | string)[];
  /**
   * The first time of the clock, in Unix milliseconds. Not allowed with `world`.
   *
   * @default now
   */
  readonly startMs?: number;
}

const ATTEMPT = "make a test kit with";

const aWorld: OptionCheck = (option, value, attempt) => {
  if (!(value instanceof World)) throw optionError(attempt, option, value, "the world of a kit");
};

const { transport: _transport, clock: _clock, subscribers: _subscribers, ...OF_THE_BUS } =
  BUS_OPTIONS;

const OPTIONS: Readonly<Record<keyof TestKitOptions, OptionCheck>> = {
  ...OF_THE_BUS,
  mode: oneOf("inline", "manual"),
  world: aWorld,
  outside: aList(aDestination),
  startMs: aNumber({ ...MILLISECONDS, most: END_OF_TIME_MS }),
};

/**
 * Checks the options of a kit.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function checkKitOptions<Tx, BusinessTx>(options: TestKitOptions<Tx, BusinessTx>): void {
  checkOptions(ATTEMPT, options, OPTIONS);
  const { world, startMs } = options;
  if (world === undefined || startMs === undefined) return;
  throw optionError(ATTEMPT, "startMs", startMs, "none beside a world, which has a clock already");
}
