/**
 * Publishers in the crash run: they place orders with their messages in every way there is.
 *
 * @module
 */
import type postgres from "postgres";
import { type Bus, OutcomeUnknown } from "@atlast/bus";
import { Audit, Deduct, Deducted, Ship } from "./business.ts";
import { counted, counts } from "./failures.ts";
import { rest } from "./rest.ts";
import { contend, type Tx } from "./subscribers.ts";

/** How many orders a process places at once. */
const PUBLISHERS = 6;
/** The longest pause of a publisher after an order, and after a failed one, in milliseconds. */
const REST_MS = 20;
const FAILED_REST_MS = 200;
/** The share of operations that roll back on purpose. */
const ROLLED_BACK = 0.05;
/** The share of transactions at another isolation level that change rows others change. */
const SERIALIZABLE = 0.1;
/** How often a publish whose outcome is unknown is repeated. */
const REPEATS = 5;

/** How many orders one transaction places at most, so that publishers are faster than handlers. */
const MAX_ORDERS = 20;

/** The ways to publish, each as often as the others. */
const WAYS = ["bus.transaction", "sql.begin", "publishMany", "publish", "transact"] as const;

type Way = (typeof WAYS)[number];

/** The publishers of a process. */
export class Publishers {
  /** Whether they publish; while not, they wait. */
  isOn = true;
  #isOver = false;
  /** What waits for an answer, with the time since which it waits, as `performance.now()` says. */
  readonly pending = new Set<{ readonly what: string; readonly sinceMs: number }>();
  readonly #bus: Bus<Tx, Tx>;
  readonly #sql: postgres.Sql;
  readonly #random: () => number;

  constructor(bus: Bus<Tx, Tx>, sql: postgres.Sql, random: () => number) {
    this.#bus = bus;
    this.#sql = sql;
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
      const way = WAYS[Math.floor(this.#random() * WAYS.length)] as Way;
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
  async #order(way: Way): Promise<number> {
    if (way === "publish") return await this.#publishAlone(crypto.randomUUID());
    if (way === "transact") return await this.#transact(crypto.randomUUID());
    const count = way === "publishMany" ? 1 + Math.floor(this.#random() * MAX_ORDERS) : 1;
    const orders = Array.from({ length: count }, () => ({ orderId: crypto.randomUUID() }));
    const isRolledBack = this.#random() < ROLLED_BACK;
    const work = async (tx: Tx): Promise<void> => {
      const ids = orders.map(({ orderId }) => orderId).join();
      await tx`insert into shop.orders select unnest(string_to_array(${ids}, ',')), ${way}`;
      if (way === "publishMany") {
        await this.#bus.publishMany(Deduct, orders, { tx, callback: Deducted });
        await this.#bus.publishMany(Audit, orders, { tx });
      } else {
        const [order] = orders as [{ orderId: string }];
        await this.#bus.publish(Deduct, order, { tx, callback: Deducted });
        await this.#bus.publish(Audit, order, { tx });
      }
      if (isRolledBack) throw new Error("On purpose, before the commit");
    };
    await this.#pending(`${way} of ${orders[0]?.orderId}`, async () => {
      if (way === "bus.transaction") await this.#bus.transaction(work);
      else if (this.#random() < SERIALIZABLE) {
        await this.#sql.begin("isolation level serializable", async (tx) => {
          await contend(tx, this.#random);
          await work(tx);
        });
      } else await this.#sql.begin(work);
    });
    return 2 * count;
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
      await this.#sql`insert into shop.acknowledged values (${orderId})`;
    });
    return 1;
  }

  async #transact(orderId: string): Promise<number> {
    const isRolledBack = this.#random() < ROLLED_BACK;
    const { outcome } = await this.#pending(
      `transact of ${orderId}`,
      () =>
        this.#bus.transact(Ship, { orderId }, async (tx) => {
          await tx`insert into ledger.payments values (${orderId})`;
          if (isRolledBack) throw new Error("On purpose, before the commit");
        }),
    );
    return outcome === "committed" ? 1 : 0;
  }
}
