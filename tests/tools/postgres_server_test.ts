import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { StandbyLink } from "../../tools/crash/standby_link.ts";
import { hasPostgres, type PrivateServer, startPostgres } from "../../tools/postgres_server.ts";
import { connect } from "../support/postgres.ts";
import { skipFor } from "../support/skip.ts";

const skip = hasPostgres() ? false : skipFor("no Postgres program to start: this suite is skipped");

async function on<Result>(
  server: PrivateServer,
  work: (sql: postgres.Sql) => Promise<Result>,
): Promise<Result> {
  const sql = connect(server.url, { max: 1 });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

async function add(server: PrivateServer, n: number): Promise<void> {
  await on(server, (sql) => sql`insert into numbers values (${n})`);
}

function numbers(server: PrivateServer): Promise<number[]> {
  return on(server, async (sql) => {
    const rows = await sql`select n from numbers order by n`;
    return rows.map((row) => row["n"]);
  });
}

describe("a private Postgres server with a standby", { skip }, () => {
  let primary: PrivateServer;
  let link: StandbyLink;
  before(async () => {
    primary = await startPostgres();
    await on(primary, (sql) => sql`create table numbers (n int)`);
    link = await StandbyLink.start(primary);
  });
  after(async () => {
    await link?.stop();
    primary?.stop();
  });

  it("loses at a failover what did not reach the standby, and the killed server has it", async () => {
    await add(primary, 1);
    while ((await numbers(link.standby)).length < 1);
    link.interrupt();
    await add(primary, 2);
    await primary.kill();
    await assert.rejects(numbers(primary), { code: "ECONNREFUSED" });
    const promoted = await link.promote();
    assert.deepEqual(await numbers(promoted), [1]);
    await add(promoted, 3);
    assert.deepEqual(await numbers(promoted), [1, 3]);
    await primary.startElsewhere();
    assert.deepEqual(await numbers(primary), [1, 2]);
  });
});
