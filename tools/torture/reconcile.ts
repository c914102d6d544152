/**
 * Reconciles both databases after the last fault, from the tables alone.
 *
 * @module
 */
import type postgres from "postgres";

/** The result. */
export interface Findings {
  /** Orders that were committed. */
  readonly orders: number;
  /** Messages in both outboxes. */
  readonly messages: number;
  /** Messages that failed visibly, with a reason. */
  readonly failed: number;
  /** Messages and records that are not settled. */
  readonly waiting: number;
  /** Committed orders without a message, and messages without their effect that are not failed visibly. */
  readonly lost: number;
  /** Duplicate effects. */
  readonly doubled: number;
  /** Messages, and effects, of orders that were never committed. */
  readonly ghosts: number;
}

/** How many records of a service are not settled. */
export async function waiting(sql: postgres.Sql): Promise<number> {
  const [row] = await sql`
    select (select count(*) from atlast.outbox where state = 'scheduled')
      + (select count(*) from atlast.inbox where state = 'scheduled') as count`;
  return Number(row?.["count"]);
}

/** Reads both databases. */
export async function reconcile(orders: postgres.Sql, stock: postgres.Sql): Promise<Findings> {
  const committed = new Set(await column(orders, "select id from orders"));
  const sent = await sentOf(orders);
  const answered = await sentOf(stock);
  const received = [...await receivedOf(orders), ...await receivedOf(stock)];
  const isFailed = new Set(
    [...sent, ...answered, ...received].filter(({ state }) => state === "failed")
      .map(({ id }) => id),
  );
  const deductions = count(await column(stock, "select order_id from deductions"));
  const audits = count(await column(stock, "select order_id from audits"));
  const answers = count(await column(orders, "select order_id from answers"));
  const byOrder = (name: string, from: readonly Sent[]) =>
    new Map(from.filter((each) => each.name === name).map((each) => [each.orderId, each]));
  const steps = [
    { messages: byOrder("stock.deduct", sent), effects: deductions },
    { messages: byOrder("stock.audit", sent), effects: audits },
    { messages: byOrder("stock.deducted", answered), effects: answers },
  ];
  const deducts = steps[0]!.messages;
  let lost = 0, doubled = 0, ghosts = 0;
  for (const { messages, effects } of steps) {
    for (const orderId of committed) {
      const message = messages.get(orderId);
      const isMissing = message === undefined || !effects.has(orderId);
      const isVisible = message !== undefined && isFailed.has(message.id) ||
        isFailed.has(deducts.get(orderId)?.id ?? "");
      if (isMissing && !isVisible) lost += 1;
    }
    for (const [orderId, times] of effects) {
      if (times > 1) doubled += 1;
      if (!committed.has(orderId)) ghosts += 1;
    }
    for (const orderId of messages.keys()) if (!committed.has(orderId)) ghosts += 1;
  }
  return {
    orders: committed.size,
    messages: sent.length + answered.length,
    failed: isFailed.size,
    waiting: await waiting(orders) + await waiting(stock),
    lost,
    doubled,
    ghosts,
  };
}

interface Sent {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly orderId: string;
}

async function sentOf(sql: postgres.Sql): Promise<Sent[]> {
  const rows = await sql`
    select id, name, state, body::json ->> 'orderId' as order_id from atlast.outbox`;
  return rows.map((row) => ({
    id: row["id"],
    name: row["name"],
    state: row["state"],
    orderId: row["order_id"],
  }));
}

async function receivedOf(sql: postgres.Sql): Promise<{ id: string; state: string }[]> {
  return [...await sql<{ id: string; state: string }[]>`select id, state from atlast.inbox`];
}

async function column(sql: postgres.Sql, text: string): Promise<string[]> {
  return (await sql.unsafe(text).values()).map(([value]) => value as string);
}

function count(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
