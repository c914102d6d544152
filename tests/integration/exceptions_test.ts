/**
 * The exception table of reliable messages, row by row, on databases that no one transaction covers.
 * `deno test -A --filter "exception: "` shows all of it.
 *
 * @module
 */
import { after, test } from "node:test";
import { type HalfWorld, worldInOneProcess } from "../support/half_world.ts";
import { worldOverHttp } from "../support/half_world_http.ts";
import { newPglite } from "../support/pglite.ts";
import { NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { skipFor } from "../support/skip.ts";
import { newDatabase, onPglite, onPostgres } from "../support/two_databases.ts";
import { consumerRows } from "./exceptions/consumer_rows.ts";
import { operationRows } from "./exceptions/operation_rows.ts";
import { prepareRows } from "./exceptions/prepare_rows.ts";
import { resultRows } from "./exceptions/result_rows.ts";

const ROWS = { ...prepareRows, ...operationRows, ...resultRows, ...consumerRows };

const [messages, business] = await Promise.all([newPglite(), newPglite()]);
const url = await postgresUrl();
const own = url === null ? null : await newDatabase(url);
after(async () => {
  await Promise.all([messages.close(), business.close()]);
  await own?.drop();
});

const pglite = () => onPglite(messages, business);
const postgres = () => onPostgres(url as string, own?.url as string);

runRows("PGlite", async () => worldInOneProcess(await pglite()));
runRows("over HTTP", async () => await worldOverHttp(await pglite()));
runRows("Postgres", async () => worldInOneProcess(await postgres()), url === null);

function runRows(place: string, open: () => Promise<HalfWorld>, skip = false): void {
  for (const [title, row] of Object.entries(ROWS)) {
    test(
      `exception: ${title} (${place})`,
      skip ? { skip: skipFor(NO_POSTGRES) } : {},
      async () => {
        const world = await open();
        try {
          await row(world);
        } finally {
          await world.close();
          await world.databases.close();
        }
      },
    );
  }
}
