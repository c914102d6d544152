/**
 * Half messages with everything around them: the participant with its business database, the bus that
 * keeps the messages, a consumer, and faults at each step between.
 *
 * @module
 */
import * as z from "zod";
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import type { Store } from "../../core/ports/store.ts";
import type { Fence } from "../../core/ports/fence.ts";
import type { Transport } from "../../core/ports/transport.ts";
import {
  type Bus,
  type BusOptions,
  createBus,
  DEFAULT_CHECK,
  defineMessage,
  type FailureReport,
  failureReport,
  type HalfMessage,
  type HalfMessageOptions,
  type HalfOutcome,
  subscribe,
} from "../../mod.ts";
import type { HalfStatus } from "../../ports.ts";
import { type Faulty, faulty, type Loss } from "./faulty.ts";
import { ManualClock } from "./manual_clock.ts";
import { Observed } from "./observed.ts";
import type { TwoDatabases } from "./two_databases.ts";

/** A payment was made; the consumer ships what was paid for. */
export const Paid = defineMessage("payment.made", { body: z.object({ n: z.number() }) });

/** The consumer could not ship. */
export const Unshipped = defineMessage("payment.unshipped", { body: failureReport });

/** The id of the message most tests are about. */
export const ID = "payment-1";

/** How long a claim holds. */
export const LEASE_MS = 60_000;

/** How often the consumer is tried, and how far apart. */
export const CONSUMER_RETRY = { kind: "fixed", delayMs: 1_000, maxAttempts: 3 } as const;

/** The service whose business operation decides. */
export interface Participant {
  prepare(id: string, options?: Pick<HalfMessageOptions, "failureCallback">): Promise<HalfMessage>;
  transact(id: string, work: (tx: unknown) => Promise<void>): Promise<HalfOutcome<void>>;
}

/** All of it. */
export interface HalfWorld {
  readonly databases: TwoDatabases;
  readonly clock: ManualClock;
  /** Of the bus that keeps the messages, and of all that came after it. */
  readonly observed: Observed;
  readonly store: Faulty<Store>;
  readonly fence: Faulty<Fence>;
  readonly transport: Faulty<Transport>;
  /** Loses calls between the participant and whoever keeps the messages. */
  loseOnTheWay(call: "prepare" | "result", what: Loss): void;
  readonly active: Participant;
  /** The bus that keeps the messages. */
  readonly bus: Bus;
  /** What the consumer does first; it may throw. */
  consumer: () => void;
  /** What the participant learnt of messages the consumer gave up. */
  readonly reports: FailureReport[];
  /** All processes die where they stand, and others start on the same databases. */
  crash(): void;
  close(): Promise<void>;
}

/** The parts of which a bus is made again after each crash. */
export interface WorldParts {
  readonly clock: ManualClock;
  readonly observed: Observed;
  readonly store: Faulty<Store>;
  readonly fence: Faulty<Fence>;
  /** What the consumer does; a bus takes it along. */
  readonly subscribers: NonNullable<BusOptions["subscribers"]>;
}

/** The parts of a world, and what a test sees of them; `world` is what the consumer belongs to. */
export function partsOf(
  databases: TwoDatabases,
  world: () => Pick<HalfWorld, "consumer" | "reports">,
): WorldParts {
  return {
    clock: new ManualClock(),
    observed: new Observed(),
    store: faulty(databases.newStore()),
    fence: faulty(databases.newFence()),
    subscribers: [
      subscribe(Paid, { group: "shop", retry: CONSUMER_RETRY }, async (_body, { tx, message }) => {
        world().consumer();
        await databases.ship(tx, message.id);
      }),
      subscribe(Unshipped, { group: "payments" }, (report) => void world().reports.push(report)),
    ],
  };
}

/** A bus of these parts. */
export function busOf(
  { clock, observed, store, subscribers }: WorldParts,
  options: Partial<BusOptions> & Pick<BusOptions, "transport">,
): Bus {
  return createBus({
    store: store.part,
    clock,
    leaseMs: LEASE_MS,
    retry: { kind: "fixed", delayMs: 1_000, maxAttempts: 10 },
    random: () => 0,
    observe: observed.observe,
    subscribers,
    ...options,
  });
}

/** A world in which one bus is participant, keeper and consumer, and asks the fence itself. */
export function worldInOneProcess(databases: TwoDatabases): HalfWorld {
  const parts: WorldParts = partsOf(databases, () => world);
  const transports: Faulty<Transport>[] = [];
  const newBus = (): Bus => {
    const transport = faulty<Transport>(inProcessTransport());
    transports.push(transport);
    return busOf(parts, { transport: transport.part, fence: parts.fence.part });
  };
  let bus = newBus();
  const world: HalfWorld = {
    ...parts,
    databases,
    get transport() {
      return transports.at(-1) as Faulty<Transport>;
    },
    get bus() {
      return bus;
    },
    loseOnTheWay(call, what) {
      // The keeper is the bus itself: what is lost is lost on the way to its store.
      if (call === "prepare") parts.store.lose("add", what);
      else if (what === "request") parts.store.lose("find", what);
      else parts.store.lose("settle", what);
    },
    active: {
      prepare: (id, options) => bus.prepare(Paid, { n: 1 }, { ...options, id }),
      transact: (id, work) => bus.transact(Paid, { n: 1 }, work, { id }),
    },
    consumer: () => {},
    reports: [],
    crash: () => void (bus = newBus()),
    close: () => bus.stop(),
  };
  return world;
}

/** Lets the time to the next check go by, and does all that is then due. */
export async function checkBack({ clock, bus }: HalfWorld): Promise<void> {
  clock.advance(DEFAULT_CHECK.immunityMs + 1_000);
  await bus.tick();
}

/** How the message stands at its keeper. */
export async function statusOf(
  { databases }: HalfWorld,
  id: string = ID,
): Promise<HalfStatus["state"] | null> {
  const store = databases.newStore();
  await store.ready();
  return (await store.find("outbox", { id, group: "" }))?.state ?? null;
}
