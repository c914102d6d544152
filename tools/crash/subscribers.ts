/**
 * The handlers of both services in the crash run. Some runs fail on purpose after their write, deadlock, or
 * cannot be serialized.
 *
 * @module
 */
import type postgres from "postgres";
import { subscribe, type Subscriber } from "@atlast/bus";
import { Audit, Deduct, Deducted, EFFECTS, LEVELS, Ship } from "./business.ts";
import { counted } from "./failures.ts";
import type { ServiceName } from "./protocol.ts";

/** A transaction of the driver. */
export type Tx = postgres.TransactionSql;

/** The most audits in one transaction. */
const MAX_BATCH = 20;
/** The share of runs that fail on purpose. */
const FAILING = 0.02;
/** The share of runs that change two rows in a random order. */
const CONTENDING = 0.04;
/** How long such a run waits between the two, in seconds. */
const CONTENDING_SECONDS = 0.02;

/** The subscribers of a service. */
export function subscribersOf(service: ServiceName, random: () => number): Subscriber<Tx>[] {
  const effect = async (name: string, orderId: string, messageId: string, tx: Tx) => {
    await tx.unsafe(`insert into ${EFFECTS[name]} values ($1, $2)`, [orderId, messageId]);
    if (random() < FAILING) throw new Error("On purpose, after the write");
  };
  if (service === "orders") {
    return [
      subscribe(
        Deducted,
        { group: "orders" },
        ({ orderId }, { tx, message }) =>
          counted(() => effect(Deducted.name, orderId, message.id, tx)),
      ),
    ];
  }
  return [
    subscribe(Deduct, { group: "stock" }, ({ orderId }, { tx, message }) =>
      counted(async () => {
        if (random() < CONTENDING) await contend(tx, random);
        await effect(Deduct.name, orderId, message.id, tx);
        return { orderId };
      })),
    subscribe(
      Audit,
      { group: "audit", maxBatch: MAX_BATCH },
      ({ orderId }, { tx, message }) => counted(() => effect(Audit.name, orderId, message.id, tx)),
    ),
    subscribe(
      Ship,
      { group: "shipping" },
      ({ orderId }, { tx, message }) => counted(() => effect(Ship.name, orderId, message.id, tx)),
    ),
  ];
}

/** Changes two rows in a random order, as others do at the same time: one of them may have to fail. */
export async function contend(tx: Tx, random: () => number): Promise<void> {
  const first = Math.floor(random() * LEVELS);
  const second = (first + 1 + Math.floor(random() * (LEVELS - 1))) % LEVELS;
  for (const index of [first, second]) {
    await tx`update warehouse.levels set changes = changes + 1 where id = ${index + 1}`;
    await tx`select pg_sleep(${CONTENDING_SECONDS})`;
  }
}
