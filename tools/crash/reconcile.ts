/**
 * Reconciles a crash run record by record, from SQL alone: every committed message has exactly one effect, and
 * nothing that was rolled back has any.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus/ports";
import { Audit, Deduct, EFFECTS, Ship } from "./business.ts";
import type { LostRow } from "./lost_rows.ts";
import { SERVICES } from "./protocol.ts";

/** What can be wrong. */
export type Wrong = "lost" | "doubled" | "ghost" | "unsettled" | "failed";

/** A check that found something. */
export interface Finding {
  readonly wrong: Wrong;
  /** What was found. */
  readonly what: string;
  readonly count: number;
  /** Ids of some messages or orders. */
  readonly samples: readonly string[];
}

/** The result. */
export interface Reconciled {
  /** Messages in both outboxes. */
  readonly messages: number;
  readonly findings: readonly Finding[];
}

/** A query of the ids of what is wrong. */
interface Check {
  readonly wrong: Wrong;
  readonly what: string;
  readonly ids: string;
}

const MAX_SAMPLES = 5;

/**
 * Everything in the outboxes, the inboxes and the tables of effects, in one form; and what standbys lost, with the ids of
 * all orders and messages that this touches.
 */
const SETUP = [
  `create temp table sent as ${
    SERVICES.map((service) =>
      `select id, name, state, body::json ->> 'orderId' as order_id from ${service}.outbox`
    ).join(" union all ")
  }`,
  "create index on sent (id)",
  "create index on sent (order_id)",
  `create temp table effects as ${
    Object.entries(EFFECTS).map(([name, table]) =>
      `select '${name}' as name, order_id, message_id from ${table}`
    ).join(" union all ")
  }`,
  "create index on effects (message_id)",
  "create index on effects (order_id, name)",
  "analyze sent",
  "analyze effects",
  `create temp table lost as select "table", id, "orderId" as order_id
    from json_to_recordset($1::text::json) as row ("table" text, id text, "orderId" text)`,
  `create temp table affected as
    with orders as (select order_id from lost
      union select s.order_id from lost l join sent s on s.id = l.id)
    select id from lost union select order_id from orders
    union select id from sent where order_id in (select order_id from orders)
    union select message_id from effects where order_id in (select order_id from orders)`,
  "create index on affected (id)",
];

/** What a failover to a standby may explain. */
const EXPLAINED: readonly Wrong[] = ["lost", "ghost"];

/** The query of the records of both services, in one form. */
const RECORDS = SERVICES.flatMap((service) =>
  ["outbox", "inbox"].map((box) =>
    `select '${service}.${box}' as table, id, subscriber_group, name, state, attempts, crashes,
      epoch, reason, body from ${service}.${box}`
  )
).join(" union all ");

const withoutMessage = (orders: string, name: string) =>
  `select o.id from (${orders}) o where not exists (
    select from sent s where s.order_id = o.id and s.name = '${name}' and s.state <> 'cancelled')`;

const CHECKS: readonly Check[] = [
  ...[Deduct.name, Audit.name].map((name): Check => ({
    wrong: "lost",
    what: `committed orders without their ${name}`,
    ids: withoutMessage("select id from shop.orders", name),
  })),
  {
    wrong: "lost",
    what: "publishes that resolved, without their message",
    ids: withoutMessage("select message_id as id from shop.acknowledged", Deduct.name),
  },
  {
    wrong: "lost",
    what: "committed operations of half messages, without their message",
    ids: withoutMessage("select order_id as id from ledger.payments", Ship.name),
  },
  {
    wrong: "lost",
    what: "messages without their effect",
    ids: `select s.id from sent s where s.state <> 'cancelled' and not exists (
      select from effects e where e.message_id = s.id and e.name = s.name)`,
  },
  {
    wrong: "lost",
    what: "handled messages without their callback",
    ids: `select e.message_id as id from effects e where e.name = '${Deduct.name}' and not exists (
      select from shop.answers a where a.order_id = e.order_id)`,
  },
  {
    wrong: "doubled",
    what: "effects that happened twice",
    ids: "select order_id as id from effects group by order_id, name having count(*) > 1",
  },
  {
    wrong: "doubled",
    what: "messages that were published twice",
    ids: `select order_id as id from sent where state <> 'cancelled'
      group by order_id, name having count(*) > 1`,
  },
  {
    wrong: "ghost",
    what: "messages of orders that were rolled back",
    // The id of a message that was published alone is that of its order.
    ids: `select s.id from sent s where s.name in ('${Deduct.name}', '${Audit.name}')
      and s.id <> s.order_id and not exists (select from shop.orders o where o.id = s.order_id)`,
  },
  {
    wrong: "ghost",
    what: "half messages of operations that were rolled back",
    ids: `select s.id from sent s where s.name = '${Ship.name}' and s.state <> 'cancelled'
      and not exists (select from ledger.payments p where p.order_id = s.order_id)`,
  },
  {
    wrong: "ghost",
    what: "effects without a message, or of a cancelled one",
    ids: `select e.message_id as id from effects e where not exists (
      select from sent s where s.id = e.message_id and s.name = e.name and s.state <> 'cancelled')`,
  },
  {
    wrong: "unsettled",
    what: "records that did not settle",
    ids: `select id from (${RECORDS}) r where state not in ('succeeded', 'failed', 'cancelled')`,
  },
  {
    wrong: "failed",
    what: "records that failed again after an operator had retried them",
    ids: `select id from (${RECORDS}) r where state = 'failed'`,
  },
];

/**
 * Reads everything. What was lost when a standby took over explains what is wrong with the orders that it touches: that
 * is judged apart. No order may have an effect twice.
 *
 * @param client One connection, or a transaction. The tables `sent`, `effects` and `lost` are its own from then on.
 */
export async function reconcile(
  client: SqlClient,
  lost: readonly LostRow[] = [],
): Promise<Reconciled> {
  for (const statement of SETUP) {
    await client.query(statement, statement.includes("$1") ? [JSON.stringify(lost)] : []);
  }
  const findings: Finding[] = [];
  for (const { wrong, what, ids } of CHECKS) {
    const unexplained = EXPLAINED.includes(wrong)
      ? "where not exists (select from affected a where a.id = wrong.id)"
      : "";
    const { rows } = await client.query(
      `select id, count(*) over () as count from (${ids}) wrong ${unexplained}
        order by id limit ${MAX_SAMPLES}`,
    );
    const [first] = rows as { count: unknown }[];
    if (first === undefined) continue;
    const samples = (rows as { id: unknown }[]).map(({ id }) => String(id));
    findings.push({ wrong, what, count: Number(first.count), samples });
  }
  const { rows } = await client.query("select count(*) as count from sent");
  return { messages: Number((rows as { count: unknown }[])[0]?.count), findings };
}

/** Every record and effect of a message or an order, a line each, to see what happened to it. */
export async function historyOf(client: SqlClient, id: string): Promise<string[]> {
  const records = await client.query(
    `select * from (${RECORDS}) r where id = $1 or position($1 in coalesce(body, '')) > 0`,
    [id],
  );
  const effects = await client.query(
    "select * from effects where message_id = $1 or order_id = $1",
    [id],
  );
  const orders = await client.query(
    `select 'shop.orders' as table, id, how from shop.orders where id = $1
      union all select 'shop.acknowledged', message_id, '' from shop.acknowledged where message_id = $1
      union all select 'ledger.payments', order_id, '' from ledger.payments where order_id = $1`,
    [id],
  );
  const rows = [orders, records, effects].flatMap((result) => [...result.rows]);
  return rows.map((row) => JSON.stringify(row));
}
