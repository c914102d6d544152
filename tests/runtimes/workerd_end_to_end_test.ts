/**
 * Orders placed at one Worker, delivered to another, and answered, while much fails and keys change: in
 * the end both databases agree on every order.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signingKey } from "../support/http.ts";
import { randomFrom } from "../support/random.ts";
import { Faults } from "../support/runtimes/faults.ts";
import { unavailable, WORKERD } from "../support/runtimes/runtime.ts";
import { Shop } from "../support/runtimes/shop.ts";

const SEED = Number(Deno.env.get("ATLAST_SEED") ?? 20261122);
const ORDERS = 60;
/** Of each product one order more is placed than there is stock for. */
const [PRODUCTS, STOCK] = [6, ORDERS / 6 - 1];
const [OLD_KEY, NEW_KEY] = [signingKey("o"), signingKey("n")];

test("workerd end to end", { skip: await unavailable(WORKERD) }, async () => {
  console.log(`workerd end to end: seed ${SEED}`);
  const faults = new Faults(randomFrom(SEED), 1 / 3);
  const shop = await Shop.open(WORKERD, ["orders", "inventory"], { SIGNING_KEYS: OLD_KEY });
  try {
    await shop.show(async () => {
      await shop.sql("inventory")`
        insert into stock select generate_series(1, ${PRODUCTS}::int), ${STOCK}`;
      for (const name of ["orders", "inventory"] as const) shop.front(name).rule = faults.rule;

      await place(shop, 1, ORDERS / 2);
      // First both know both keys, then the old one goes: at no time does one refuse the other.
      await rotate(shop, `${NEW_KEY},${OLD_KEY}`);
      await place(shop, ORDERS / 2 + 1, ORDERS);
      await rotate(shop, NEW_KEY);

      await shop.untilTicked("every order is settled", () => allSettled(shop));
      await reconcile(shop);
    });
  } finally {
    await shop.close();
  }
  const { attempts, failures, failed } = faults;
  console.log(`workerd end to end: ${failures} of ${attempts} attempts failed`, failed);
  assert.ok(failures > attempts / 5, "too little failed to show anything");
  assert.ok(Object.values(failed).every((count) => count > 0), "a kind of failure never came");
});

/** Places orders, some at a time. */
async function place(shop: Shop, first: number, last: number): Promise<void> {
  const ids = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  await Promise.all(Array.from({ length: 6 }, async () => {
    for (let id = ids.shift(); id !== undefined; id = ids.shift()) {
      const answer = await fetch(`${shop.front("orders").origin}/orders/${id}`, {
        method: "PUT",
        body: JSON.stringify({ productId: 1 + id % PRODUCTS, qty: 1 }),
      });
      await answer.arrayBuffer();
      assert.equal(answer.status, 201);
    }
  }));
}

/** Deploys both services with other keys, one after the other, while messages are on their way. */
async function rotate(shop: Shop, keys: string): Promise<void> {
  for (const name of ["inventory", "orders"] as const) {
    await shop.replace(name, { SIGNING_KEYS: keys });
  }
}

async function allSettled(shop: Shop): Promise<boolean> {
  const open = await shop.sql("orders")`select from orders where status = 'placed'`;
  const unsent = await shop.sql("inventory")`select from atlast.outbox where state = 'scheduled'`;
  const unacknowledged = await shop.sql("orders")`
    select from atlast.outbox where state = 'scheduled'`;
  return open.length + unsent.length + unacknowledged.length === 0;
}

/** Compares what both sides hold, order by order. */
async function reconcile(shop: Shop): Promise<void> {
  const orders = await shop.sql("orders")`
    select id, status, answers from orders order by id`;
  assert.equal(orders.length, ORDERS);
  const reservations = await shop.sql("inventory")`select order_id, qty from reservations`;
  for (const { id, status, answers } of orders) {
    const own = reservations.filter(({ order_id }) => order_id === id);
    assert.equal(answers, 1, `order ${id} was answered ${answers} times`);
    assert.deepEqual(
      [status, own.map(({ qty }) => qty)],
      own.length === 0 ? ["sold out", []] : ["reserved", [1]],
      `order ${id}`,
    );
  }
  const stock = await shop.sql("inventory")`select qty from stock`;
  assert.deepEqual(stock.map(({ qty }) => qty), Array(PRODUCTS).fill(0));
  assert.equal(reservations.length, PRODUCTS * STOCK);
  for (const name of ["orders", "inventory"] as const) {
    const boxes = await shop.sql(name)`
      select box, state, count(*)::int as count from (
        select 'inbox' as box, state from atlast.inbox
        union all select 'outbox', state from atlast.outbox
      ) as records group by box, state order by box`;
    const settled = { state: "succeeded", count: ORDERS };
    assert.deepEqual(
      [...boxes],
      [{ box: "inbox", ...settled }, { box: "outbox", ...settled }],
      name,
    );
  }
}
