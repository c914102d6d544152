/**
 * The programs of docs/deploy, as those pages show them: a service that QStash delivers to.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { migrationSql } from "../../adapters/postgres/mod.ts";
import { serveQstashEmulator } from "../../devtools/qstash_emulator/mod.ts";
import { qstashTransport } from "../../adapters/qstash/mod.ts";
import { testMessage } from "../support/http.ts";
import { codeBlocks } from "../support/markdown.ts";
import { connect, postgresUrl } from "../support/postgres.ts";
import { readText, ROOT } from "../support/repository.ts";
import { Front } from "../support/runtimes/front.ts";
import {
  denoRunning,
  type Runtime,
  start,
  unavailable,
  workerdRunning,
} from "../support/runtimes/runtime.ts";
import { workplace } from "../support/runtimes/workplace.ts";
import { serve } from "../support/serve.ts";
import { newDatabase } from "../support/two_databases.ts";

const RUNTIMES: Readonly<Record<string, Runtime>> = {
  "Cloudflare Workers": workerdRunning(async () =>
    // Beside the packages that the page has installed.
    written(join(await workplace(), "shop/docs"), "cloudflare-workers", {
      "worker.ts": "ts",
      "wrangler.jsonc": "jsonc",
    })
  ),
  "Deno Deploy": denoRunning(
    join(written(join(ROOT, ".tmp/docs/deploy"), "deno-deploy", { "main.ts": "ts" }), "main.ts"),
  ),
};

for (const [platform, runtime] of Object.entries(RUNTIMES)) {
  describe(`the service that docs/deploy shows for ${platform}`, {
    skip: await unavailable(runtime),
  }, () => {
    it(
      "handles what QStash delivers, once, and replies after the answer",
      { timeout: 60_000 },
      async () => {
        const database = await newDatabase(await postgresUrl() as string);
        const sql = connect(database.url);
        await sql.begin((tx) => tx.unsafe(migrationSql()));
        await sql`create table stock (product_id integer primary key, qty integer not null)`;
        await sql`insert into stock values (1, 5)`;
        const replied = Promise.withResolvers<{ name: string | null; body: unknown }>();
        const orders = await serve(async (request) => {
          replied.resolve({
            name: request.headers.get("cap-msg-name"),
            body: await request.json(),
          });
          return new Response();
        });
        const qstash = await serveQstashEmulator();
        const front = await Front.open();
        const service = await start(runtime, {
          ...qstash.emulator.env(qstash.url),
          DATABASE_URL: database.url,
          PUBLIC_URL: front.origin,
          ORDERS_URL: orders.origin,
          DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
        });
        front.target = service.origin;
        try {
          const unsigned = await fetch(`${front.origin}/deliver`, { method: "POST" });
          assert.equal(unsigned.status, 401);
          await unsigned.body?.cancel();
          const { QSTASH_TOKEN: token = "" } = qstash.emulator.env(qstash.url);
          const routes = { "stock.reserve": `${front.origin}/deliver` };
          const transport = qstashTransport({ token, baseUrl: qstash.url, routes });
          const message = testMessage({
            name: "stock.reserve",
            headers: { "cap-callback-name": "stock.reserved" },
            body: JSON.stringify({ orderId: 7, productId: 1, qty: 2 }),
          });
          const [sent] = await transport.send([message], new AbortController().signal);
          assert.deepEqual(sent, { kind: "sent" });
          assert.deepEqual(await replied.promise, {
            name: "stock.reserved",
            body: { orderId: 7, isReserved: true },
          });
          await service.tick?.();
          const [stock] = await sql`select qty from stock`;
          assert.equal(stock?.["qty"], 3);
        } catch (error) {
          throw new Error(`${error}\n${service.output}`);
        } finally {
          await service.stop();
          await front.close();
          await qstash.close();
          await orders.close();
          await sql.end();
          await database.drop();
        }
      },
    );
  });
}

/** Writes the first block of each language in a page of docs/deploy as a file, and returns their folder. */
function written(
  folder: string,
  page: string,
  files: Readonly<Record<string, string>>,
): string {
  const text = readText(`docs/deploy/${page}.md`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, language] of Object.entries(files)) {
    const block = codeBlocks(text).find((block) => block.info === language);
    assert.ok(block, `docs/deploy/${page}.md has no ${language} block`);
    writeFileSync(join(folder, name), block.code);
  }
  return folder;
}
