/**
 * Publishers in the crash run: they place orders with their messages in every way there is.
 *
 * @module
 */
import { type Bus, OutcomeUnknown } from "@atlast/bus";
import { Audit, Deduct, Deducted, Ship } from "./business.ts";
import { counted, counts } from "./failures.ts";
import { rest } from "./rest.ts";
import { OnPurpose, type Placement, type WorkerStore } from "./worker_stores/worker_store.ts";

/** How many orders a process places at once. */
const PUBLISHERS = 6;
/** The longest pause of a publisher after an order, and after a failed one, in milliseconds. */
const REST_MS = 20;
const FAILED_REST_MS = 200;
/** The share of operations that roll back on purpose. */
const ROLLED_BACK = 0.05;
/** How often a publish whose outcome is unknown is repeated. */
const REPEATS = 5;

/** How many orders one transaction places at most, so that publishers are faster than handlers. */
const MAX_ORDERS = 20;

/** The ways to publish beside those of the store, each as often as the others. */
const WAYS: readonly string[] = ["publishMany", "publish", "transact"];

/** The publishers of a process. */
export class Publishers<Tx, FenceTx> {
  /** Whether they publish; while not, they wait. */
  isOn = true;
  #isOver = false;
  /** What waits for an answer, with the time since which it waits, as `performance.now()` says. */
  readonly pending = new Set<{ readonly what: string; readonly sinceMs: number }>();
  readonly #bus: Bus<Tx, FenceTx>;
  readonly #store: WorkerStore<Tx, FenceTx>;
  readonly #random: () => number;

  constructor(bus: Bus<Tx, FenceTx>, store: WorkerStore<Tx, FenceTx>, random: () => number) {
    this.#bus = bus;
    this.#store = store;
    this.#random = random;
  }

  /** Publishes until `stop()`. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: PUBLISHERS }, () => this.#publish()));
  }

  /** Ends the publishers after their current orders. */
  stop(): void {
    this.#isOver = true;
  }

  async #publish(): Promise<void> {
    while (!this.#isOver) {
      if (!this.isOn) {
        await rest(REST_MS);
        continue;
      }
      const way = this.#oneOf([...Object.keys(this.#store.placements), ...WAYS]);
      try {
        const published = await counted(() => this.#order(way));
        counts.published += published;
        await rest(REST_MS * this.#random());
      } catch {
        // The tables show at the end whether it was stored.
        await rest(FAILED_REST_MS);
      }
    }
  }

  #oneOf<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random() * values.length)] as Value;
  }

  async #pending<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    const call = { what, sinceMs: performance.now() };
    this.pending.add(call);
    try {
      return await work();
    } finally {
      this.pending.delete(call);
    }
  }

  /** Publishes in one of the ways; returns the number of messages. */
  async #order(way: string): Promise<number> {
    if (way === "publish") return await this.#publishAlone(crypto.randomUUID());
    if (way === "transact") return await this.#transact(crypto.randomUUID());
    const count = way === "publishMany" ? 1 + Math.floor(this.#random() * MAX_ORDERS) : 1;
    const orders = Array.from({ length: count }, () => ({ orderId: crypto.randomUUID() }));
    const placement: Placement<Tx> = {
      bus: this.#bus,
      orderIds: orders.map(({ orderId }) => orderId),
      way,
      isRolledBack: this.#random() < ROLLED_BACK,
      random: this.#random,
      publish: (tx) => this.#publishIn(tx, orders, way === "publishMany"),
    };
    const { placements } = this.#store;
    const place = placements[way] ?? this.#oneOf(Object.values(placements));
    await this.#pending(`${way} of ${orders[0]?.orderId}`, () => place(placement));
    return 2 * count;
  }

  async #publishIn(tx: Tx, orders: readonly { orderId: string }[], isMany: boolean): Promise<void> {
    if (isMany) {
      await this.#bus.publishMany(Deduct, orders, { tx, callback: Deducted });
      await this.#bus.publishMany(Audit, orders, { tx });
      return;
    }
    for (const order of orders) {
      await this.#bus.publish(Deduct, order, { tx, callback: Deducted });
      await this.#bus.publish(Audit, order, { tx });
    }
  }

  /** The id of the message is that of the order. It is written down that the publish has resolved. */
  async #publishAlone(orderId: string): Promise<number> {
    for (let repeats = 0;; repeats++) {
      try {
        await this.#pending(
          `publish of ${orderId}, repeat ${repeats}`,
          () => this.#bus.publish(Deduct, { orderId }, { id: orderId, callback: Deducted }),
        );
        break;
      } catch (error) {
        if (!(error instanceof OutcomeUnknown) || repeats === REPEATS) throw error;
        await rest(FAILED_REST_MS);
      }
    }
    await this.#pending(`acknowledge ${orderId}`, async () => {
      await this.#store.acknowledge(orderId);
    });
    return 1;
  }

  async #transact(orderId: string): Promise<number> {
    const isRolledBack = this.#random() < ROLLED_BACK;
    const { outcome } = await this.#pending(
      `transact of ${orderId}`,
      () =>
        this.#bus.transact(Ship, { orderId }, async (tx) => {
          await this.#store.pay(tx, orderId);
          if (isRolledBack) throw new OnPurpose();
        }),
    );
    return outcome === "committed" ? 1 : 0;
  }
}
