/**
 * The bus: what users hold in their hands.
 *
 * @module
 */
import type { BodyInput, Contract, ReplyInput } from "../contract.ts";
import type { Box } from "../lifecycle.ts";
import type { Receiver, Store } from "../ports.ts";
import { Engine } from "./engine.ts";
import type { Cancellation } from "./operator.ts";
import { type BusOptions, settingsOf } from "./options.ts";
import type { PublishOptions, Receipt } from "./publisher.ts";
import type { Handler, SubscribeOptions, Subscriber } from "./subscriber.ts";
import type { TickReport } from "./tick.ts";

/** How a bus stands. */
export interface Health {
  /** Whether it can take and do work. */
  readonly ready: boolean;
  /** Whether the store answers. */
  readonly store: "up" | "down";
  /** Whether its loops run; a bus on the edge works without. */
  readonly running: boolean;
  /** Why it is not ready. */
  readonly reason?: string;
}

/** Reliable messages for one service. */
export interface Bus<Tx = unknown> extends Receiver {
  /** The store it was made with, to look at messages. */
  readonly store: Store<Tx>;

  /**
   * Publishes a message. With `tx` it exists if and only if that transaction commits; without, it is
   * durable when the promise resolves. A transport that fails does not fail the publish.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} `no_route`, `too_large`, `invalid_header`, `invalid_id`, `invalid_option`,
   * `id_conflict`, `stopped`, or `not_migrated` within a `tx`.
   */
  publish<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options?: PublishOptions<Tx, ReplyInput<C>>,
  ): Promise<Receipt>;

  /** Publishes many messages of one contract in one statement: all of them, or none. */
  publishMany<C extends Contract>(
    contract: C,
    bodies: readonly BodyInput<C>[],
    options?: Omit<PublishOptions<Tx, ReplyInput<C>>, "id"> & { readonly ids?: readonly string[] },
  ): Promise<Receipt[]>;

  /**
   * Subscribes a handler to a running or resting bus.
   *
   * @throws {AtlastError} `duplicate_subscriber`, `invalid_name` or `invalid_option`.
   */
  subscribe<C extends Contract>(
    contract: C,
    options: SubscribeOptions,
    handler: Handler<C, Tx>,
  ): void;

  /** Runs business work in a transaction of the store; what it publishes with `tx` is sent once it commits. */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;

  /**
   * Sends what is due now and waits for it, for processes without loops: call it after the transaction
   * of a publish has committed, for instance in `waitUntil`.
   */
  flush(options?: { readonly budgetMs?: number }): Promise<void>;

  /** Does all background work that is due until none is, or the budget (10,000 ms if not given) is spent. */
  tick(options?: { readonly budgetMs?: number }): Promise<TickReport>;

  /** Starts the loops that send, handle and clean up. Resolves when the store is ready. */
  start(): Promise<void>;

  /**
   * Stops: takes no more, finishes what it has begun, gives back what it holds, and closes store and
   * transport. What is not finished after `drainMs` (30,000 if not given) is aborted and given back.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>;

  /** Withdraws a message that was not sent yet. */
  cancel(id: string): Promise<Cancellation>;

  /** Has a failed message tried again from the start. */
  retry(
    message: { readonly box: Box; readonly id: string; readonly group?: string },
  ): Promise<void>;

  /** How the bus stands. */
  health(): Promise<Health>;
}

/**
 * Makes a bus. Nothing runs until it is asked to: `start()` on a server, `tick()` elsewhere.
 *
 * @example
 * ```ts
 * import { createBus, defineMessage, subscribe } from "@atlast/bus";
 * import { inProcessTransport, memoryStore } from "@atlast/bus/memory";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 *
 * const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => console.log("placed", orderId)),
 * ]);
 * await bus.start();
 * await bus.publish(OrderPlaced, { orderId: 1 });
 * await bus.stop();
 * ```
 * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
 */
export function createBus<Tx>(
  options: BusOptions<Tx>,
  subscribers: readonly Subscriber<NoInfer<Tx>>[] = [],
): Bus<Tx> {
  const bus = new Engine(settingsOf(options));
  for (const subscriber of [...options.subscribers ?? [], ...subscribers]) bus.add(subscriber);
  options.transport.attach?.(bus);
  return bus;
}
