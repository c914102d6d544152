import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { fromPostgresJs, migrationSql } from "../../../adapters/postgres/mod.ts";
import { TABLES } from "../../../tools/crash/business.ts";
import type { LostRow } from "../../../tools/crash/lost_rows.ts";
import { historyOf, reconcile, type Wrong } from "../../../tools/crash/reconcile.ts";
import { hasPostgres, type PrivateServer, startPostgres } from "../../../tools/postgres_server.ts";
import { connect } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const skip = hasPostgres() ? false : skipFor("no Postgres program to start: this suite is skipped");

/** One order of each way to publish, with everything that belongs to it. */
const GOOD: readonly string[] = [
  "insert into shop.orders values ('o1', 'sql.begin')",
  sent("orders", "m1", "stock.deduct", "o1"),
  sent("orders", "m2", "stock.audit", "o1"),
  sent("stock", "m3", "stock.deducted", "o1"),
  "insert into warehouse.deductions values ('o1', 'm1')",
  "insert into warehouse.audits values ('o1', 'm2')",
  "insert into shop.answers values ('o1', 'm3')",
  // Published alone: its id is that of the order.
  "insert into shop.acknowledged values ('o2')",
  sent("orders", "o2", "stock.deduct", "o2"),
  sent("stock", "m4", "stock.deducted", "o2"),
  "insert into warehouse.deductions values ('o2', 'o2')",
  "insert into shop.answers values ('o2', 'm4')",
  // A half message that was confirmed, and one that was cancelled.
  "insert into ledger.payments values ('o3')",
  sent("orders", "m5", "stock.ship", "o3"),
  "insert into warehouse.shipments values ('o3', 'm5')",
  sent("orders", "m6", "stock.ship", "o4", "cancelled"),
];

/** What goes wrong, and what is found then. */
const STORIES: readonly { readonly name: string; readonly sql: string; readonly wrong: Wrong[] }[] =
  [
    {
      name: "a message of a committed order is not there",
      sql: "delete from orders.outbox where id = 'm2'; delete from warehouse.audits",
      wrong: ["lost"],
    },
    {
      name: "a message has no effect",
      sql: "delete from warehouse.audits",
      wrong: ["lost"],
    },
    {
      name: "a publish that resolved is not there",
      sql: "insert into shop.acknowledged values ('o5')",
      wrong: ["lost"],
    },
    {
      name: "a half message is cancelled although its operation committed",
      sql: "insert into ledger.payments values ('o4')",
      wrong: ["lost"],
    },
    {
      name: "a callback is not there",
      sql:
        "delete from stock.outbox where id = 'm4'; delete from shop.answers where order_id = 'o2'",
      wrong: ["lost"],
    },
    {
      name: "an effect happens twice",
      sql: "insert into warehouse.deductions values ('o1', 'm1')",
      wrong: ["doubled"],
    },
    {
      name: "a callback is published twice under two ids",
      sql: `${sent("stock", "m7", "stock.deducted", "o1")};
      insert into shop.answers values ('o1', 'm7')`,
      wrong: ["doubled", "doubled"],
    },
    {
      name: "a message of an order that was rolled back is there",
      sql: `${sent("orders", "m8", "stock.audit", "o8")};
      insert into warehouse.audits values ('o8', 'm8')`,
      wrong: ["ghost"],
    },
    {
      name: "a half message is confirmed although its operation rolled back",
      sql: `update orders.outbox set state = 'succeeded' where id = 'm6';
      insert into warehouse.shipments values ('o4', 'm6')`,
      wrong: ["ghost"],
    },
    {
      name: "a cancelled message has an effect",
      sql: "insert into warehouse.shipments values ('o4', 'm6')",
      wrong: ["ghost"],
    },
    {
      name: "a record is not settled",
      sql: "update orders.outbox set state = 'in_doubt' where id = 'm5'",
      wrong: ["unsettled"],
    },
    {
      name: "a record has failed",
      sql: "update orders.outbox set state = 'failed' where id = 'm5'",
      wrong: ["failed"],
    },
  ];

function sent(
  service: string,
  id: string,
  name: string,
  orderId: string,
  state = "succeeded",
): string {
  return `insert into ${service}.outbox
    (sent_at_ms, due_at_ms, created_at_ms, epoch, state, id, subscriber_group, name, body)
    values (1, 1, 1, 0, '${state}', '${id}', '', '${name}', '{"orderId":"${orderId}"}')`;
}

describe("the reconciliation of a crash run", { skip }, () => {
  let server: PrivateServer;
  let sql: postgres.Sql;
  before(async () => {
    server = await startPostgres();
    sql = connect(server.url, { max: 1 });
    for (const schema of ["orders", "stock"]) await sql.unsafe(migrationSql({ schema }));
    for (const statement of [...TABLES, ...GOOD]) await sql.unsafe(statement);
  });
  after(async () => {
    await sql?.end();
    server?.stop();
  });

  /** Reconciles after a change, which is rolled back. */
  async function reconciledAfter(
    change: string,
    lost: readonly LostRow[] = [],
  ): Promise<{ wrong: Wrong[]; messages: number; history: string[] }> {
    const rolledBack = new Error("Rolled back");
    let result = { wrong: [] as Wrong[], messages: 0, history: [] as string[] };
    await sql.begin(async (tx) => {
      if (change !== "") await tx.unsafe(change);
      const client = fromPostgresJs(tx);
      const { findings, messages } = await reconcile(client, lost);
      const [sample] = findings.flatMap(({ samples }) => samples);
      const history = sample === undefined ? [] : await historyOf(client, sample);
      result = { wrong: findings.map(({ wrong }) => wrong), messages, history };
      throw rolledBack;
    }).catch((error) => {
      if (error !== rolledBack) throw error;
    });
    return result;
  }

  it("finds nothing when every message has its effect, and counts the messages", async () => {
    assert.deepEqual(await reconciledAfter(""), { wrong: [], messages: 7, history: [] });
  });

  for (const { name, sql: change, wrong } of STORIES) {
    it(`finds that ${name}`, async () => {
      assert.deepEqual((await reconciledAfter(change)).wrong, wrong);
    });
  }

  it("leaves what touches a lost row to the judge of the failovers, except for doubled effects", async () => {
    const lost = [{ table: "warehouse.audits", id: "m2", orderId: "o1" }];
    const without = "delete from warehouse.audits; delete from shop.answers where order_id = 'o1'";
    assert.deepEqual((await reconciledAfter(without, lost)).wrong, []);
    const twice = "insert into warehouse.deductions values ('o1', 'm1')";
    assert.deepEqual((await reconciledAfter(twice, lost)).wrong, ["doubled"]);
    const elsewhere = "delete from shop.answers where order_id = 'o2'";
    assert.deepEqual((await reconciledAfter(elsewhere, lost)).wrong, ["lost", "lost"]);
  });

  it("tells the history of what it found", async () => {
    const { history } = await reconciledAfter(
      "insert into warehouse.deductions values ('o1', 'm1')",
    );
    assert.equal(history.filter((line) => line.includes("orders.outbox")).length, 2);
    assert.equal(history.filter((line) => line.includes("stock.outbox")).length, 1);
    assert.equal(history.filter((line) => line.includes('"message_id":"m1"')).length, 2);
    assert.equal(history.filter((line) => line.includes("shop.orders")).length, 1);
  });
});
