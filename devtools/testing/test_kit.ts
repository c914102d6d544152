/**
 * A service in a test: a bus in memory, on a virtual clock.
 *
 * @module
 */
import { memoryStore } from "../../adapters/memory/memory_store.ts";
import type { ManualClock } from "../../adapters/memory/manual_clock.ts";
import type { MemoryTransaction } from "../../adapters/memory/transaction.ts";
import type { Bus } from "../../bus/api/bus.ts";
import type { Subscriber } from "../../bus/api/subscriber.ts";
import { createBus } from "../../bus/create_bus.ts";
import { DEFAULT_LEASE_MS } from "../../bus/settings/common_options.ts";
import { AtlastError } from "../../core/errors.ts";
import type { ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import type { Store } from "../../core/ports/store.ts";
import { type FaultKind, type FaultOptions, Faults, type InjectedFault } from "./faults.ts";
import { checkStore } from "../../bus/settings/check_ports.ts";
import { FaultyStore } from "./faulty_store.ts";
import { checkKitOptions, type TestKitOptions } from "./kit_options.ts";
import { findPending } from "./pending.ts";
import { type Publications, publicationsOf } from "./published.ts";
import { PublishedRecords } from "./published_records.ts";
import { endsWithin } from "./real_time.ts";
import { withCalls } from "./service_calls.ts";
import { serviceTransport } from "./service_transport.ts";
import { type DrainOptions, type TestWorld, World } from "./world.ts";

/** A service in a test. */
export interface TestKit<Tx = MemoryTransaction, BusinessTx = unknown> extends Publications {
  /** The bus of the service, for the code under test. */
  readonly bus: Bus<Tx, BusinessTx>;
  /**
   * The clock of the world. `advance` of the kit also does what becomes due; `clock.advance` only moves the time, for a
   * test of a handler's time limit.
   */
  readonly clock: ManualClock;
  /** The world, for the kits of other services in the same test. */
  readonly world: TestWorld;
  /**
   * Does what is due now in all services of the world, and what follows from it at the same time.
   *
   * @throws {AtlastError} `stopped`.
   */
  tick(): Promise<void>;
  /**
   * Advances the clock by `ms` milliseconds, and does what is due at each time on the way.
   *
   * @throws {AtlastError} `invalid_option` or `stopped`.
   */
  advance(ms: number): Promise<void>;
  /**
   * Does what is due until every message of the world is settled: sent, handled, failed for good or cancelled. With
   * `withinMs` it advances the clock to the times of retries, delayed messages and check-backs.
   *
   * @throws {StillPending} If messages are left. Its text lists them, each with what it waits for.
   * @throws {AtlastError} `invalid_option`, or `stopped` if the kit was stopped before, or is stopped meanwhile.
   */
  drained(options?: DrainOptions): Promise<void>;
  /**
   * Lets something go wrong with the next messages of this service. Which one is in {@linkcode FaultKind}.
   *
   * @throws {AtlastError} `invalid_option` or `stopped`.
   */
  inject(kind: FaultKind, options?: FaultOptions): InjectedFault;
  /**
   * Stops the bus. Handlers that run are aborted. Its messages no longer count in `drained` of the other kits of its
   * world. What was published can still be read.
   */
  stop(): Promise<void>;
}

/** Records are never deleted, so that a test can read them, however far it advances the clock. */
const KEPT: ExpiryPolicy = { succeededMs: null, failedMs: null, cancelledMs: null };

/** How long a stop may take before the clock is advanced, in milliseconds of real time. */
const STOP_MS = 100;

/** By how much, in milliseconds. */
const STOP_STEP_MS = 5_000;

/**
 * Creates a bus for a test: on a memory store, with a transport within the process and a virtual clock. It does no work
 * until you say so, or in mode `inline` with each publish.
 *
 * @example
 * ```ts
 * import { defineMessage, subscribe } from "@atlast/bus";
 * import { createTestKit } from "@atlast/bus/testing";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 *
 * const kit = createTestKit({}, [
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => console.log("mailed", orderId)),
 * ]);
 * await kit.bus.publish(OrderPlaced, { orderId: 7 }, { delayMs: 60_000 });
 * await kit.assertPublished(OrderPlaced, { orderId: 7 });
 * await kit.drained({ withinMs: 60_000 });
 * await kit.stop();
 * ```
 *
 * It prints:
 *
 * ```text
 * mailed 7
 * ```
 *
 * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
 */
export function createTestKit<Tx = MemoryTransaction, BusinessTx = unknown>(
  options: TestKitOptions<Tx, BusinessTx> = {},
  subscribers: readonly Subscriber<NoInfer<Tx>>[] = [],
): TestKit<Tx, BusinessTx> {
  checkKitOptions(options);
  const { store, mode = "manual", world: shared, outside = [], startMs, ...own } = options;
  const world = shared === undefined ? new World(startMs) : shared as World;
  const faults = new Faults(world.clock, own.leaseMs ?? DEFAULT_LEASE_MS);
  const names = outside.map((each) => typeof each === "string" ? each : each.name);
  const published = new PublishedRecords();
  if (store !== undefined) checkStore(store);
  // Without a store, Tx is that of the memory store.
  const ownStore = store === undefined ? memoryStore() as Store<unknown> as Store<Tx> : store;
  const faulty = new FaultyStore(ownStore, faults, world.clock);
  const bus = createBus<Tx, BusinessTx>({
    expiry: KEPT,
    random: () => 0.5,
    ...own,
    store: faulty.store,
    clock: world.clock,
    transport: serviceTransport(world.transport, faults, names),
    onConsume: [world.running.middleware, faults.middleware, ...own.onConsume ?? []],
    observe: (event) => {
      published.note(event);
      own.observe?.(event);
    },
  }, subscribers);
  const member = {
    tick: () => bus.tick(),
    downUntilMs: () => faulty.downUntilMs,
    storeId: () => ownStore.serviceId(),
    pending: () => findPending(ownStore, world.clock.now(), world.running),
  };
  world.add(member);
  let isStopped = false;
  const leave = () => {
    isStopped = true;
    world.remove(member);
  };
  const mustRun = (attempt: string) => {
    if (!isStopped) return;
    throw new AtlastError("stopped", `Cannot ${attempt}: the bus of this kit was stopped`);
  };
  return {
    bus: withCalls(bus, {
      faults,
      settle: mode === "inline" ? () => world.settleInline() : null,
      stopping: leave,
    }),
    clock: world.clock,
    world,
    ...publicationsOf((name) => published.read(ownStore, name)),
    async tick() {
      mustRun("tick");
      await world.settle();
    },
    async advance(ms) {
      mustRun("advance the clock");
      await world.advance(ms);
    },
    async drained(drain) {
      mustRun("drain");
      await world.drained(drain);
      // Its messages did not count any more.
      mustRun("drain");
    },
    inject(kind, which) {
      mustRun("inject a fault");
      return faults.inject(kind, which);
    },
    async stop() {
      leave();
      const stopping = bus.stop({ drainMs: 0 });
      world.clock.advance(0);
      // Work that does not heed its abort ends the stop only later, by the virtual clock.
      while (!await endsWithin(stopping, STOP_MS)) world.clock.advance(STOP_STEP_MS);
    },
  };
}
