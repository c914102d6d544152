/**
 * The business of the crash run in SQL, for every store that speaks it.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus/ports";
import { EFFECTS, LEVELS } from "../business.ts";
import { type Effect, OnPurpose, type Placement } from "./worker_store.ts";

/** How long a transaction waits between two rows that others change too, in seconds. */
const CONTENDING_SECONDS = 0.02;

/** The work of a transaction that places orders. */
export function placing<Tx>(
  clientOf: (tx: Tx) => SqlClient,
  { orderIds, way, publish, isRolledBack }: Placement<Tx>,
): (tx: Tx) => Promise<void> {
  return async (tx) => {
    await clientOf(tx).query(
      "insert into shop.orders select unnest(string_to_array($1, ',')), $2",
      [orderIds.join(), way],
    );
    await publish(tx);
    if (isRolledBack) throw new OnPurpose();
  };
}

/** Writes down that the publish of a message has resolved. */
export async function acknowledge(client: SqlClient, messageId: string): Promise<void> {
  await client.query("insert into shop.acknowledged values ($1)", [messageId]);
}

/** Writes a payment. */
export async function pay(client: SqlClient, orderId: string): Promise<void> {
  await client.query("insert into ledger.payments values ($1)", [orderId]);
}

/** Writes an effect. */
export async function affect(
  client: SqlClient,
  { name, orderId, messageId }: Effect,
): Promise<void> {
  await client.query(`insert into ${EFFECTS[name]} values ($1, $2)`, [orderId, messageId]);
}

/** Changes two rows in a random order, as others do at the same time: one of them may have to fail. */
export async function contend(client: SqlClient, random: () => number): Promise<void> {
  const first = Math.floor(random() * LEVELS);
  const second = (first + 1 + Math.floor(random() * (LEVELS - 1))) % LEVELS;
  for (const index of [first, second]) {
    await client.query("update warehouse.levels set changes = changes + 1 where id = $1", [
      index + 1,
    ]);
    await client.query(`select pg_sleep(${CONTENDING_SECONDS})`);
  }
}
