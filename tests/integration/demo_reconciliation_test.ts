import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { NewRecord, SqlClient } from "@atlast/bus";
import { pgliteStore } from "@atlast/bus/pglite";
import { PGlite } from "@electric-sql/pglite";
import { checksOf } from "../../examples/demo/checks.ts";
import { INVENTORY_SQL } from "../../examples/demo/inventory.ts";
import { ORDERS_SQL } from "../../examples/demo/orders.ts";
import { reconcile, type Reconciliation } from "../../examples/demo/reconciliation.ts";

const PLACED = 4;

/** Two orders that succeeded, one that was short and one that got stuck, as a good run leaves them. */
const GOOD_RUN = `
insert into orders.orders (order_id, customer_id, product_id, qty, price_cents, status, message_id)
values (1, 1, 1, 2, 1000, 'succeeded', 'm1'), (2, 1, 2, 1, 500, 'succeeded', 'm2'),
  (3, 2, 1, 9000, 4500000, 'failed', 'm3'), (4, 2, 99, 1, 500, 'failed', 'm4');
insert into orders.wallets (customer_id, spent_cents) values (1, 1500), (2, 0);
insert into inventory.stock (product_id, name, initial_qty, qty)
values (1, 'teapot', 10, 8), (2, 'cup', 10, 9);
insert into inventory.deductions (order_id, product_id, qty) values (1, 1, 2), (2, 2, 1)`;

/** The messages of that run: what each order asked, and what came back for it. */
const MESSAGES = [1, 2, 3, 4].map((n) => ({
  request: record(`m${n}`, "place.order.qty.deducted", "", "{}"),
  reply: record(
    `r${n}`,
    n === 4 ? "place.order.stuck" : "place.order.mark.status",
    `m${n}`,
    JSON.stringify({ isSuccess: n < 3 }),
  ),
}));

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
  never: ["insert into inventory.deductions (order_id, product_id, qty) values (3, 1, 9000)"],
  doubled: [
    "insert into inventory.deductions select * from inventory.deductions where order_id = 2",
  ],
  stock: ["update inventory.stock set qty = qty - 1 where product_id = 1"],
  money: [
    "update orders.wallets set reserved_cents = 500 where customer_id = 2",
    "update orders.wallets set spent_cents = spent_cents + 500 where customer_id = 1",
  ],
  requests_lost: [
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
};

describe("the demo's reconciliation", () => {
  let db: PGlite;

  before(async () => {
    db = await PGlite.create();
    for (
      const [schema, tables] of [["orders", ORDERS_SQL], ["inventory", INVENTORY_SQL]] as const
    ) {
      await db.exec(`create schema ${schema}; set search_path to ${schema}; ${tables}`);
    }
    await db.exec(GOOD_RUN);
    const [orders, inventory] = [
      pgliteStore(db, { schema: "orders" }),
      pgliteStore(db, { schema: "inventory" }),
    ];
    const requests = MESSAGES.map(({ request }) => request);
    const replies = MESSAGES.map(({ reply }) => reply);
    await orders.add("outbox", requests, 0);
    await inventory.add("inbox", requests.map((own) => ({ ...own, group: "inventory" })), 0);
    await inventory.add("outbox", replies, 0);
    await orders.add("inbox", replies.map((own) => ({ ...own, group: "orders" })), 0);
    await db.exec("update inventory.inbox set state = 'failed' where id = 'm4'");
  });
  after(() => db.close());

  /** Reconciles after some damage, which is undone. */
  async function reconciledAfter(damage: string): Promise<Reconciliation> {
    return await db.transaction(async (tx) => {
      await tx.exec(damage);
      const client: SqlClient = { query: (text, params) => tx.query(text, params) };
      const result = await reconcile({
        orders: { client, schema: "orders" },
        inventory: { client, schema: "inventory" },
      }, PLACED);
      await tx.rollback();
      return result;
    });
  }

  test("holds for a good run", async () => {
    const { checks, totals, holds } = await reconciledAfter("");
    assert.deepEqual(Object.values(checks).flatMap(({ broken }) => broken), []);
    assert.ok(Object.values(checks).every(({ about }) => about > 0));
    assert.equal(holds, true);
    assert.deepEqual(totals, { orders: 4, succeeded: 2, compensated: 2, lost: 0, doubled: 0 });
  });

  test("has damage for every check", () => {
    assert.deepEqual(Object.keys(DAMAGE).sort(), Object.keys(checksOf(PLACED)).sort());
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
    leaseUntilMs: null,
  };
}
