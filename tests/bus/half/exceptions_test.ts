/**
 * The exception table of reliable messages, row by row, on databases that no one transaction covers.
 * `deno test -A --filter "exception: "` shows all of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  checkBack,
  type HalfWorld,
  statusOf,
  worldInOneProcess,
} from "../../support/half_world.ts";
import { worldOverHttp } from "../../support/half_world_http.ts";
import { newPglite } from "../../support/pglite.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { onUpstashRedis } from "../../support/redis_databases.ts";
import { skipFor } from "../../support/skip.ts";
import { onPglite, onPostgres } from "../../support/two_databases.ts";
import { redisProblem } from "../../support/upstash_redis.ts";
import { consumerRows } from "./exceptions/consumer_rows.ts";
import { killedAt } from "./exceptions/killed.ts";
import { operationRows } from "./exceptions/operation_rows.ts";
import { earlyRows, operatorRows } from "./exceptions/operator_rows.ts";
import { prepareRows } from "./exceptions/prepare_rows.ts";
import { resultRows } from "./exceptions/result_rows.ts";
import { mustBeCancelled, mustBeDeliveredOnce, type Rows } from "./exceptions/row.ts";

const ROWS = { ...prepareRows, ...operationRows, ...resultRows, ...consumerRows, ...operatorRows };

const [messages, business] = await Promise.all([newPglite(), newPglite()]);
const url = await postgresUrl();
after(async () => {
  await Promise.all([messages.close(), business.close()]);
});

const pglite = () => onPglite(messages, business);
// Through two pools: to a transaction, two databases even where they are one server.
const postgres = () => onPostgres(url as string, url as string);

runRows("PGlite", async () => worldInOneProcess(await pglite()));
runRows("over HTTP", async () => await worldOverHttp(await pglite()), null, ROWS);
const noPostgres = url === null ? NO_POSTGRES : null;
runRows("Postgres", async () => worldInOneProcess(await postgres()), noPostgres);
runRows("Upstash Redis", async () => worldInOneProcess(await onUpstashRedis()), redisProblem());

for (
  const [step, ends] of [
    ["before the operation", mustBeCancelled],
    ["in the operation", mustBeCancelled],
    ["after the commit", mustBeDeliveredOnce],
  ] as const
) {
  const done = ends === mustBeCancelled ? "not done" : "done";
  run(
    `result never arrives, operation ${done}: killed with SIGKILL ${step} (Postgres)`,
    async () => {
      const databases = await postgres();
      const { schema } = databases;
      await killedAt(step, { url: url as string, businessUrl: url as string, schema });
      return worldInOneProcess(databases);
    },
    async (world) => {
      assert.equal(await statusOf(world), "prepared");
      // The server may still be ending the dead process's transaction: a check waits for it a while.
      for (let checks = 0; checks < 10 && await statusOf(world) === "prepared"; checks++) {
        await checkBack(world);
      }
      await ends(world);
    },
    noPostgres,
  );
}

function runRows(
  place: string,
  open: () => Promise<HalfWorld>,
  problem: string | null = null,
  rows: Rows = { ...ROWS, ...earlyRows },
): void {
  for (const [title, row] of Object.entries(rows)) run(`${title} (${place})`, open, row, problem);
}

function run(
  title: string,
  open: () => Promise<HalfWorld>,
  row: (world: HalfWorld) => Promise<void>,
  problem: string | null,
): void {
  test(`exception: ${title}`, problem === null ? {} : { skip: skipFor(problem) }, async () => {
    const world = await open();
    try {
      await row(world);
    } finally {
      await world.close();
      await world.databases.close();
    }
  });
}
