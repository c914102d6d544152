/**
 * What a process of the crash run does with its store. There is one implementation for each kind of store.
 *
 * @module
 */
import type { Bus } from "@atlast/bus";
import type { Fence, Store } from "@atlast/bus/ports";
import type { Standing } from "../protocol.ts";

/** Orders that are placed in one step with their messages. */
export interface Placement<Tx> {
  readonly bus: Pick<Bus<Tx>, "transaction">;
  readonly orderIds: readonly string[];
  /** In which way, which is written down with each order. */
  readonly way: string;
  /** Whether all of it is rolled back on purpose before its commit. */
  readonly isRolledBack: boolean;
  readonly random: () => number;
  /** Publishes the messages of the orders. */
  readonly publish: (tx: Tx) => Promise<void>;
}

/** An effect of a handler. */
export interface Effect {
  /** The name of its message. */
  readonly name: string;
  readonly orderId: string;
  readonly messageId: string;
}

/**
 * The store of a process, with the tables of its business.
 *
 * @typeParam FenceTx The transaction of the operation of a half message.
 */
export interface WorkerStore<Tx, FenceTx = Tx> {
  readonly store: Store<Tx>;
  /** The fence of its half messages; null where it has none. */
  readonly fence: Fence<FenceTx> | null;
  /** The ways to place orders in one step with their messages. */
  readonly placements: Readonly<Record<string, (placement: Placement<Tx>) => Promise<void>>>;
  /** Writes down that the publish of a message has resolved. */
  acknowledge(messageId: string): Promise<void>;
  /** Writes a payment: the operation of a half message. */
  pay(tx: FenceTx, orderId: string): Promise<void>;
  /** Writes an effect. */
  affect(tx: Tx, effect: Effect): Promise<void>;
  /** Changes what others change at the same time, so that one of them may have to fail. */
  contend(tx: Tx, random: () => number): Promise<void>;
  /** Each asks one of its clients for an answer. */
  readonly probes: readonly (() => Promise<unknown>)[];
  /** How the records of the process stand; null where the run can look by itself. */
  readonly standing: (() => Promise<Standing>) | null;
}

/** What is thrown to roll back. */
export class OnPurpose extends Error {
  override name = "OnPurpose";

  constructor() {
    super("On purpose, before the commit");
  }
}
