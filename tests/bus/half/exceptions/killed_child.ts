/**
 * A process that sends a half message and pays, and stops for good where it is told to, so that it can be
 * killed there. Says so on its standard output.
 *
 * @module
 */
import process from "node:process";
import { inProcessTransport } from "../../../../adapters/memory/mod.ts";
import { postgresFence, postgresStore } from "../../../../adapters/postgres/mod.ts";
import { createBus, subscribe } from "../../../../mod.ts";
import { ID, Paid } from "../../../support/half_world.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { connect } from "../../../support/postgres.ts";

/** Where it may stop. */
export type Step = "before the operation" | "in the operation" | "after the commit";

const [url, businessUrl, schema, step] = process.argv.slice(2) as [string, string, string, Step];

const fence = postgresFence(connect(businessUrl), { schema });
const bus = createBus({
  store: postgresStore(connect(url), { schema }),
  transport: inProcessTransport(),
  fence,
  clock: new ManualClock(),
}, [subscribe(Paid, { group: "shop" }, () => {})]);

const half = await bus.prepare(Paid, { n: 1 }, { id: ID });
if (step === "before the operation") await stopHere();
await fence.transaction(async (tx) => {
  await half.fence(tx);
  await tx.unsafe(`insert into "${schema}".payment (id) values ($1)`, [ID]);
  if (step === "in the operation") await stopHere();
});
await stopHere();

async function stopHere(): Promise<never> {
  console.log(`at: ${step}`);
  return await new Promise(() => {});
}
