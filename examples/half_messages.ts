/**
 * Half messages: a payment in one database, its message in another. docs/half-messages.md shows this program.
 *
 * @module
 */
import { createBus, defineMessage, type SqlClient, subscribe } from "@atlast/bus";
import { inProcessTransport } from "@atlast/bus/memory";
import { pgliteFence, pgliteStore } from "@atlast/bus/pglite";
import { PGlite } from "@electric-sql/pglite";
import * as z from "zod";

const PaymentTaken = defineMessage("payment.taken", {
  body: z.object({ order: z.string(), cents: z.number() }),
});

const orders = new PGlite(); // keeps the messages
const bank = new PGlite(); // keeps the money; no transaction covers both databases
await bank.exec("create table account (cents integer check (cents >= 0))");
await bank.exec("insert into account values (100)");

const bus = createBus({
  store: pgliteStore(orders),
  transport: inProcessTransport(),
  fence: pgliteFence(bank),
  check: { immunityMs: 0 }, // check at once in this program; 10 seconds by default
}, [
  subscribe(PaymentTaken, { group: "orders" }, ({ order }) => console.log(`${order} is paid`)),
]);

async function take(tx: SqlClient, cents: number): Promise<void> {
  await tx.query("update account set cents = cents - $1", [cents]);
}

// In one call: prepare the message, run the operation behind the fence, report its outcome.
const tea = await bus.transact(PaymentTaken, { order: "tea", cents: 70 }, (tx) => take(tx, 70));
console.log(`tea: ${tea.outcome}`);
await bus.tick();

// The account has only 30 left: the transaction rolls back, and the message is never sent.
const pot = await bus.transact(PaymentTaken, { order: "pot", cents: 70 }, (tx) => take(tx, 70));
console.log(`pot: ${pot.outcome}`);

// Step by step. This process dies right after the commit: it never calls cup.confirm().
const cup = await bus.prepare(PaymentTaken, { order: "cup", cents: 20 });
await bank.transaction(async (tx) => {
  await cup.fence(tx);
  await take(tx, 20);
});
console.log("cup: not confirmed");
await bus.tick(); // reads the fence, confirms, sends

// Here the check-back comes before the operation. It writes `aborted`, and that is final.
const jug = await bus.prepare(PaymentTaken, { order: "jug", cents: 10 });
await bus.tick(); // finds no row in the fence, writes `aborted`, cancels
await bank.transaction(async (tx) => {
  await jug.fence(tx); // throws, so that the transaction rolls back
  await take(tx, 10);
}).catch((error) => console.log(`jug: ${error.code}`));

console.log("left in the account:", (await bank.query("select cents from account")).rows);
await bus.stop();
