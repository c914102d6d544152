import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { SqlClient } from "@atlast/bus";
import type { NewRecord } from "@atlast/bus/ports";
import { pgliteFence, pgliteStore } from "@atlast/bus/pglite";
import { PGlite } from "@electric-sql/pglite";
import { createChecks } from "../../../examples/demo/reconciliation/checks.ts";
import { reconcile, type Reconciliation } from "../../../examples/demo/reconciliation/reconcile.ts";
import { BANK_SQL } from "../../../examples/demo/sql/bank.ts";
import { ORDERS_SQL } from "../../../examples/demo/sql/order_book.ts";
import { INVENTORY_SQL } from "../../../examples/demo/sql/stock_room.ts";
import { sqlTableReader } from "../../../examples/demo/sql/run_databases.ts";

const PLACED = 5;

/**
 * Two orders that succeeded, the second with its second payment, one that was short, one that got stuck and one
 * that could not be paid, as a good run leaves them.
 */
const GOOD_RUN = `
insert into orders.orders (order_id, customer_id, product_id, qty, price_cents, status,
  payment_attempt, message_id)
values (1, 1, 1, 2, 1000, 'succeeded', 1, 'm1'), (2, 1, 2, 1, 500, 'succeeded', 2, 'm2'),
  (3, 2, 1, 9000, 4500000, 'failed', 0, 'm3'), (4, 2, 99, 1, 500, 'failed', 0, 'm4'),
  (5, 3, 2, 1, 500, 'failed', 1, 'm5');
insert into orders.wallets (customer_id, spent_cents) values (1, 1500), (2, 0), (3, 0);
insert into inventory.stock (product_id, name, initial_qty, qty)
values (1, 'teapot', 10, 8), (2, 'cup', 10, 9);
insert into inventory.deductions (order_id, product_id, qty)
values (1, 1, 2), (2, 2, 1), (5, 2, 1), (5, 2, -1);
insert into bank.accounts (customer_id, opening_cents, balance_cents)
values (1, 9000, 7500), (2, 9000, 9000), (3, 120, 120);
insert into bank.payments (payment_id, order_id, customer_id, cents)
values ('payment-1-1', 1, 1, 1000), ('payment-2-2', 2, 1, 500);
insert into bank.fence (message_id, outcome, written_at_ms)
values ('payment-1-1', 'committed', 0), ('payment-2-2', 'committed', 0),
  ('payment-2-1', 'aborted', 0), ('payment-5-1', 'aborted', 0)`;

/** The messages of that run: what each order asked, and what came back for it. */
const MESSAGES = [1, 2, 3, 4, 5].map((n) => ({
  request: record(`m${n}`, "place.order.qty.deducted", "", "{}"),
  reply: record(
    `r${n}`,
    n === 4 ? "place.order.stuck" : "place.order.mark.status",
    `m${n}`,
    JSON.stringify({ isSuccess: n < 3 || n === 5 }),
  ),
}));

/** Messages about payments that were taken, and about those that were not. */
const TAKEN = ["payment-1-1", "payment-2-2"].map((id) => record(id, "pay.order.taken", id, "{}"));
const ABORTED = ["payment-2-1", "payment-5-1"].map((id): NewRecord => ({
  ...record(id, "pay.order.taken", id, "{}"),
  state: "cancelled",
}));
const RETURN = record("return-5", "pay.order.qty.returned", "return-5", `{"orderId":5}`);

/** For each check, what must make it fail. */
const DAMAGE: Readonly<Record<string, readonly string[]>> = {
  placed: [
    "delete from orders.orders where order_id = 3",
    "delete from orders.outbox where id = 'm3'",
  ],
  settled: ["update orders.orders set status = 'pending' where order_id = 1"],
  once: [
    "delete from inventory.deductions where order_id = 1",
    "update inventory.deductions set qty = 1 where order_id = 1",
  ],
  never: [
    "delete from inventory.deductions where order_id = 5 and qty < 0",
    "insert into inventory.deductions (order_id, product_id, qty) values (3, 1, 9000)",
  ],
  doubled: [
    "insert into inventory.deductions (order_id, product_id, qty) values (5, 2, -1)",
    "insert into inventory.deductions select * from inventory.deductions where order_id = 2",
  ],
  stock: ["update inventory.stock set qty = qty - 1 where product_id = 1"],
  money: [
    "update orders.wallets set reserved_cents = 500 where customer_id = 2",
    "update orders.wallets set spent_cents = spent_cents + 500 where customer_id = 1",
  ],
  requests_lost: [
    "delete from inventory.inbox where id = 'return-5'",
    "delete from orders.inbox where id = 'payment-1-1'",
    "delete from inventory.inbox where id = 'm2'",
    `update orders.outbox set state = 'failed' where id = 'm2';
     delete from inventory.inbox where id = 'm2'`,
  ],
  replies_lost: ["delete from orders.inbox where id = 'r2'"],
  handled: [
    "update inventory.inbox set state = 'failed' where id = 'm1'",
    "update orders.inbox set state = 'failed' where id = 'r4'",
    "update inventory.inbox set state = 'scheduled' where id = 'm1'",
  ],
  answered: [
    `update orders.inbox set body = '{"isSuccess":false}' where id = 'r1'`,
    "update orders.inbox set name = 'place.order.mark.status', body = '{}' where id = 'r4'",
  ],
  idle: [
    "update orders.outbox set state = 'scheduled' where id = 'm1'",
    "update inventory.outbox set state = 'scheduled' where id = 'r1'",
  ],
  told: [
    "update orders.outbox set state = 'cancelled' where id = 'payment-1-1'",
    "delete from orders.inbox where id = 'payment-1-1'",
    "update orders.inbox set state = 'failed' where id = 'payment-1-1'",
  ],
  paid: [
    "delete from bank.payments where order_id = 1",
    "update bank.payments set cents = 1 where order_id = 1",
    "update bank.payments set customer_id = 2 where order_id = 1",
  ],
  paid_in_vain: [
    "update orders.orders set status = 'failed' where order_id = 1",
    `insert into bank.payments (payment_id, order_id, customer_id, cents)
     values ('payment-5-1', 5, 3, 500)`,
  ],
  paid_twice: [
    `insert into bank.payments (payment_id, order_id, customer_id, cents)
     values ('payment-2-1', 2, 1, 500)`,
  ],
  aborted: [
    "update orders.inbox set id = 'payment-2-1' where id = 'payment-2-2'",
    "delete from bank.payments where order_id = 1",
  ],
  fenced: [
    "update bank.fence set outcome = 'aborted' where message_id = 'payment-1-1'",
    "update bank.fence set outcome = 'committed' where message_id = 'payment-5-1'",
    "delete from bank.fence where message_id = 'payment-1-1'",
    "delete from bank.payments where order_id = 1",
    "update orders.outbox set state = 'succeeded' where id = 'payment-5-1'",
  ],
  decided: [
    "update orders.outbox set state = 'prepared' where id = 'payment-1-1'",
    "update orders.outbox set state = 'in_doubt' where id = 'payment-5-1'",
  ],
  bank: ["update bank.accounts set balance_cents = balance_cents - 1 where customer_id = 3"],
  spent: [
    "update orders.wallets set spent_cents = spent_cents + 500 where customer_id = 1",
    "update bank.payments set cents = cents + 1 where order_id = 1",
  ],
};

describe("the demo's reconciliation", () => {
  let db: PGlite;

  before(async () => {
    db = await PGlite.create();
    for (
      const [schema, tables] of [
        ["orders", ORDERS_SQL],
        ["inventory", INVENTORY_SQL],
        ["bank", BANK_SQL],
      ] as const
    ) {
      await db.exec(`create schema ${schema}; set search_path to ${schema}; ${tables}`);
    }
    await pgliteFence(db, { schema: "bank" }).ready();
    await db.exec(GOOD_RUN);
    const [orders, inventory] = [
      pgliteStore(db, { schema: "orders" }),
      pgliteStore(db, { schema: "inventory" }),
    ];
    const requests = [...MESSAGES.map(({ request }) => request), RETURN];
    const replies = MESSAGES.map(({ reply }) => reply);
    await orders.add("outbox", [...requests, ...TAKEN, ...ABORTED], 0);
    await inventory.add("inbox", requests.map((own) => ({ ...own, group: "inventory" })), 0);
    await inventory.add("outbox", replies, 0);
    await orders.add(
      "inbox",
      [...replies, ...TAKEN].map((own) => ({ ...own, group: "orders" })),
      0,
    );
    await db.exec("update inventory.inbox set state = 'failed' where id = 'm4'");
  });
  after(() => db.close());

  /** Reconciles after some damage, which is undone. */
  async function reconciledAfter(damage: string): Promise<Reconciliation> {
    return await db.transaction(async (tx) => {
      await tx.exec(damage);
      const client: SqlClient = { query: (text, params) => tx.query(text, params) };
      const sides = {
        orders: sqlTableReader(client, "orders"),
        inventory: sqlTableReader(client, "inventory"),
        bank: sqlTableReader(client, "bank"),
      };
      const result = await reconcile({ readers: sides, scratch: client }, PLACED);
      await tx.rollback();
      return result;
    });
  }

  test("holds for a good run", async () => {
    const { checks, totals, holds } = await reconciledAfter("");
    assert.deepEqual(Object.values(checks).flatMap(({ broken }) => broken), []);
    assert.ok(Object.values(checks).every(({ about }) => about > 0));
    assert.equal(holds, true);
    assert.deepEqual(totals, { orders: 5, succeeded: 2, compensated: 3, lost: 0, doubled: 0 });
  });

  test("has damage for every check", () => {
    assert.deepEqual(Object.keys(DAMAGE).sort(), Object.keys(createChecks(PLACED)).sort());
  });

  for (const [key, damages] of Object.entries(DAMAGE)) {
    for (const damage of damages) {
      test(`${key} fails after: ${damage.replace(/\s+/g, " ")}`, async () => {
        const { checks, holds } = await reconciledAfter(damage);
        assert.notDeepEqual(checks[key]?.broken, []);
        assert.equal(holds, false);
      });
    }
  }

  test("counts what was lost and what was doubled", async () => {
    const lost = await reconciledAfter("delete from inventory.inbox where id = 'm2'");
    assert.equal(lost.totals.lost, 1);
    const doubled = await reconciledAfter(DAMAGE["doubled"]?.[0] ?? "");
    assert.equal(doubled.totals.doubled, 1);
    const paidTwice = await reconciledAfter(DAMAGE["paid_twice"]?.[0] ?? "");
    assert.equal(paidTwice.totals.doubled, 1);
  });

  test("takes a message that could not be sent as settled once its sender heard of it", async () => {
    const { checks } = await reconciledAfter(`
      delete from inventory.inbox where id = 'm4'; delete from inventory.outbox where id = 'r4';
      update orders.outbox set state = 'failed' where id = 'm4'`);
    assert.deepEqual(checks["requests_lost"]?.broken, []);
  });
});

function record(id: string, name: string, answers: string, body: string): NewRecord {
  return {
    id,
    group: "",
    message: {
      id,
      name,
      headers: { "cap-corr-id": answers },
      contentType: "application/json",
      body,
      sentAtMs: 0,
    },
    state: "succeeded",
    dueAtMs: 0,
    deadlineMs: null,
    expiresAtMs: null,
    reason: null,
    retry: null,
    details: null,
    leaseUntilMs: null,
  };
}
