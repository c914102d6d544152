/**
 * Orders placed at one Worker, delivered by QStash to another, and answered, while much fails and keys
 * change: in the end both databases agree on every order.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type QstashServer, serveQstashEmulator } from "../../devtools/qstash_emulator/mod.ts";
import { randomFrom } from "../support/random.ts";
import { Faults } from "../support/runtimes/faults.ts";
import { unavailable, type Variables, WORKERD } from "../support/runtimes/runtime.ts";
import { Shop } from "../support/runtimes/shop.ts";

const SEED = Number(process.env["ATLAST_SEED"] ?? 20261122);
const ORDERS = 60;
/** Of each product one order more is placed than there is stock for. */
const [PRODUCTS, STOCK] = [6, ORDERS / 6 - 1];

/** Beside what fails on the way, each sixth order has handlers that fail: their first attempt does. */
const FAILING_HANDLERS = `
create sequence tried;
create function fails_first() returns trigger language plpgsql as '
begin
  if new.order_id % 6 = 0 and nextval(''tried'') % 2 = 1 then raise exception ''not now''; end if;
  return new;
end';
create trigger fails_first before insert on reservations
  for each row execute function fails_first();`;

test("workerd end to end", { skip: await unavailable(WORKERD) }, async () => {
  console.log(`workerd end to end: seed ${SEED}`);
  const faults = new Faults(randomFrom(SEED), 1 / 3);
  const qstash = await serveQstashEmulator({ random: randomFrom(SEED + 1) });
  const shop = await Shop.open(WORKERD, ["orders", "inventory"], variables(qstash));
  try {
    await shop.show(async () => {
      const inventory = shop.sql("inventory");
      await inventory`insert into stock select generate_series(1, ${PRODUCTS}::int), ${STOCK}`;
      await inventory.unsafe(FAILING_HANDLERS);
      for (const name of ["orders", "inventory"] as const) shop.front(name).rule = faults.rule;

      await place(shop, 1, 20);
      // What signs from now on is known to both as the next key.
      qstash.emulator.rotateKeys();
      await place(shop, 21, 40);
      // Deployed with the keys as they are now, so that they can be rotated once more.
      for (const name of ["inventory", "orders"] as const) {
        await shop.replace(name, variables(qstash));
      }
      qstash.emulator.rotateKeys();
      await place(shop, 41, ORDERS);

      await shop.untilTicked("every order is settled", () => allSettled(shop));
      await qstash.emulator.idle();
      await reconcile(shop);
      const [tried] = await inventory`select last_value::int as times from tried`;
      assert.ok(tried?.["times"] > ORDERS / 6, "no handler failed");
    });
  } finally {
    await shop.close();
    await qstash.close();
  }
  const { attempts, failures, failed } = faults;
  console.log(`workerd end to end: ${failures} of ${attempts} attempts failed`, failed);
  assert.ok(attempts >= 2 * ORDERS, "an order takes a delivery each way");
  assert.ok(failures > attempts / 5, "too little failed to show anything");
  assert.ok(Object.values(failed).every((count) => count > 0), "a kind of failure never came");
});

function variables({ emulator, url }: QstashServer): Variables {
  return emulator.env(url);
}

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

async function allSettled(shop: Shop): Promise<boolean> {
  const open = await shop.sql("orders")`select from orders where status = 'placed'`;
  if (open.length > 0) return false;
  for (const name of ["orders", "inventory"] as const) {
    const scheduled = await shop.sql(name)`
      select from atlast.inbox where state = 'scheduled'
      union all select from atlast.outbox where state = 'scheduled'`;
    if (scheduled.length > 0) return false;
  }
  return true;
}

/** Compares what both sides hold, order by order. */
async function reconcile(shop: Shop): Promise<void> {
  const orders = await shop.sql("orders")`select id, status, answers from orders order by id`;
  const reservations = await shop.sql("inventory")`select order_id, qty from reservations`;
  assert.equal(orders.length, ORDERS);
  assert.equal(reservations.length, PRODUCTS * STOCK);
  for (const { id, status, answers } of orders) {
    const own = reservations.filter(({ order_id }) => order_id === id).map(({ qty }) => qty);
    const wanted = own.length === 0 ? ["sold out", []] : ["reserved", [1]];
    assert.deepEqual([status, own], wanted, `order ${id}`);
    assert.equal(answers, 1, `order ${id} was answered ${answers} times`);
  }
  const stock = await shop.sql("inventory")`select qty from stock`;
  assert.deepEqual(stock.map(({ qty }) => qty), Array(PRODUCTS).fill(0));
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
