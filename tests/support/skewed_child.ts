/**
 * A process whose clock is wrong: it publishes to a Postgres store, or works on it, and prints what became of it.
 *
 * Arguments: the server's URL, the schema, by how many milliseconds its clock is ahead, and what it does.
 *
 * @module
 */
import process from "node:process";
import { postgresStore } from "../../adapters/postgres/mod.ts";
import { createBus, subscribe } from "../../mod.ts";
import { Placed } from "./bus_fixture.ts";
import { FakeTransport } from "./fake_transport.ts";
import { connect } from "./postgres.ts";

const [url = "", schema = "", ahead = "0", action = ""] = process.argv.slice(2);
const realNow = Date.now;
Date.now = () => realNow() + Number(ahead);

const sql = connect(url);
const store = postgresStore(sql, { schema });
let handled = 0;
const bus = createBus({ store, transport: new FakeTransport() }, [
  subscribe(Placed, { group: "g" }, () => void handled++),
]);

switch (action) {
  case "publish":
    await bus.publish(Placed, { n: 1 }, { id: "m", delayMs: 2_000, deadlineMs: 60_000 });
    break;
  case "publish many":
    await bus.publishMany(Placed, [{ n: 1 }], { ids: ["m"], delayMs: 2_000, deadlineMs: 60_000 });
    break;
  case "publish in tx":
    await sql.begin((tx) =>
      bus.publish(Placed, { n: 1 }, { id: "m", delayMs: 2_000, deadlineMs: 60_000, tx })
    );
    break;
  case "handle":
    handled += (await bus.tick()).handled;
}
console.log(JSON.stringify({ handled, nowMs: store.clock?.now() }));
await bus.stop();
await sql.end();
