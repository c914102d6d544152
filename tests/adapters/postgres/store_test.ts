import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import {
  claim,
  claimOne,
  ids,
  keyOf,
  leaseOf,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  stored,
} from "../../../devtools/conformance/store/subject.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { type StoreRoom, withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const HOUR_MS = 3_600_000;

describe("Postgres store", { skip: url === null && skipFor(NO_POSTGRES) }, () => {
  it("claims and renews by heap-only updates", () =>
    withStore(async ({ sql, schema, store }) => {
      await store.add("outbox", recordsOf("a", 500), NOW);
      await claim(store, { limit: 500 });
      assert.deepEqual(await updates(sql, schema), { all: 500, hot: 500 });
      // Records that were not changed before: a second change has room only once the first is cleaned
      // up, which any snapshot in the server holds off.
      const born = recordsOf("b", 500, { leaseUntilMs: NOW + 30_000 });
      await store.add("outbox", born, NOW);
      const leases = born.map(({ id, group }) => ({ key: { id, group }, epoch: 1 }));
      const renewed = await store.renew("outbox", leases, NOW + 60_000);
      assert.ok(renewed.every((applied) => applied));
      assert.deepEqual(await updates(sql, schema), { all: 1_000, hot: 1_000 });
    }, { max: 1 }));

  it("claims through the index of what is due, beside many settled and many delayed", () =>
    withStore(async (room) => {
      await fill(room);
      const plans = await plansOf(room, async (store) => {
        await claim(store, { nowMs: NOW, limit: 10 });
        await claim(store, { kind: "alone", limit: 1 });
        await store.nextDueAt("outbox", NOW);
      });
      assert.equal(plans.length, 3);
      for (const [i, plan] of plans.entries()) {
        assert.match(plan, i === 1 ? /outbox_crashed/ : /Index Scan using outbox_due/);
        assert.doesNotMatch(plan, /Seq Scan/);
      }
    }));

  it("claims in order and stops, though statistics know nothing of the backlog", () =>
    withStore(async (room) => {
      const { sql, schema, store } = room;
      // Large for what is in it, as a table is whose backlog was worked off.
      await sql.unsafe(`alter table ${schema}.inbox
        set (fillfactor = 10, autovacuum_enabled = false)`);
      for (const analyzed of [false, true]) {
        await rows(room, 40_000, "false");
        if (analyzed) await sql.unsafe(`analyze ${schema}.inbox`);
        await rows(room, 20_000, "true");
        const plans = await plansOf(room, async (store) => {
          const groups = [{ group: "g", names: ["order.placed", "order.*"] }, { group: "h" }];
          await claim(store, { box: "inbox", nowMs: NOW, limit: 10, groups });
          await claim(store, { box: "inbox", kind: "alone", limit: 1, groups });
          await store.nextDueAt("inbox", NOW, groups);
        });
        const [fresh, alone, next] = plans as [string, string, string];
        for (const plan of [fresh, next]) assert.match(plan, /Index Scan using inbox_due/);
        assert.match(alone, /inbox_crashed/);
        for (const plan of [fresh, alone, next]) assert.doesNotMatch(plan, /Seq Scan/);
        // What has a lease before the first that has none may be few, and fetched as they come.
        assert.doesNotMatch(fresh, /Bitmap/);
      }
      assert.equal((await claim(store, { box: "inbox", limit: 10, groups: ["g"] })).length, 10);
    }));

  it("settles, renews and prunes without walking the backlog", () =>
    withStore(async (room) => {
      await fill(room);
      const claimed = await claim(room.store, { nowMs: NOW + 2 * HOUR_MS, limit: 20 });
      const plans = await plansOf(room, async (store) => {
        await store.renew("outbox", claimed.map(leaseOf), NOW + 3 * HOUR_MS);
        await store.settle("outbox", claimed.map((record) => settlement(record)));
        await store.settle("outbox", claimed.slice(0, 1).map((record) => settlement(record)));
        await store.prune("outbox", NOW - 900_000, 10);
        await store.list({ box: "outbox", states: ["failed"], limit: 5 });
      });
      const [renew, settle, settleOne, prune, list] = plans as [
        string,
        string,
        string,
        string,
        string,
      ];
      for (const plan of [renew, settle, settleOne]) {
        assert.match(plan, /outbox_pkey/);
        assert.doesNotMatch(plan, /outbox_due|Seq Scan|Join/);
      }
      assert.match(prune, /outbox_expiry/);
      assert.match(list, /outbox_exceptions/);
    }));

  it("works for a client behind a pooler that knows no types and prepares nothing", () =>
    withStore(async ({ store, sql }) => {
      const records = [
        recordOf("bytes", {}, {
          contentType: "application/octet-stream",
          body: new Uint8Array([0, 255]),
        }),
        recordOf("quotes", { reason: `a "reason", {with} \\ signs` }, { body: `{"a":"\\"\x1f"}` }),
        recordOf("later", { dueAtMs: NOW + 5 }, { headers: { "x-a": `"{}"` } }),
      ];
      await store.add("inbox", records, NOW);
      await sql.begin((tx) => store.add("inbox", [recordOf("in-tx")], NOW, tx));
      const claimed = await claim(store, { box: "inbox", nowMs: NOW + 10, groups: ["", "other"] });
      assert.deepEqual(ids(claimed), ["bytes", "in-tx", "quotes", "later"]);
      assert.deepEqual(claimed[0]?.message.body, new Uint8Array([0, 255]));
      const applied = await store.settle(
        "inbox",
        claimed.map((record, i) => settlement(record, undefined, { reply: `{"n":${i}}` })),
      );
      assert.deepEqual(applied, [true, true, true, true]);
      assert.equal((await store.find("inbox", keyOf("later")))?.reply, '{"n":3}');
      assert.equal(await store.nextDueAt("inbox", NOW, [{ group: "" }]), null);
      assert.equal((await store.count("inbox")).succeeded, 4);
    }, { fetch_types: false, prepare: false }));

  it("reads rows of a client that renames columns", () =>
    withStore(async ({ store }) => {
      await store.add("outbox", [recordOf("a")], NOW);
      assert.equal((await claimOne(store)).message.sentAtMs, NOW);
    }, { transform: { column: { from: (name) => name.toUpperCase() } } }));

  it("adds more than one statement bears, all or nothing", () =>
    withStore(async ({ store, sql, schema }) => {
      const records = recordsOf("a", 5_001);
      assert.equal((await store.add("outbox", records, NOW)).length, 5_001);
      await sql.unsafe(`alter table ${schema}.outbox add check (id <> 'b-5000')`);
      await assert.rejects(store.add("outbox", recordsOf("b", 5_001), NOW), { code: "23514" });
      assert.equal(await store.find("outbox", keyOf("b-0")), null);
    }));

  it("applies nothing of a batch whose connection is lost in the middle", () =>
    withStore(async ({ sql, schema, store }) => {
      await store.add("outbox", recordsOf("a", 50), NOW);
      const claimed = await claim(store);
      const other = connect(url as string, { max: 1 });
      try {
        await other.begin(async (tx) => {
          // The settlement locks the rows before this one and then waits for it.
          await tx.unsafe(`select 1 from ${schema}.outbox where id = 'a-9' for update`);
          const settled = store.settle("outbox", claimed.map((record) => settlement(record)));
          const lost = assert.rejects(settled, { code: "outcome_unknown" });
          await killWhoWaits(tx);
          await lost;
        });
      } finally {
        await other.end();
      }
      // postgres.js answers the first statement on the new connection with the error of the old one.
      await sql`select 1`.catch(() => {});
      assert.equal((await store.count("outbox")).scheduled, 50);
      const again = await store.settle("outbox", claimed.map((record) => settlement(record)));
      assert.ok(again.every((applied) => applied));
    }, { max: 1 }));

  it("finds what becomes due behind the last claim", () =>
    withStore(async ({ store }) => {
      await store.add("outbox", recordsOf("a", 20), NOW);
      assert.equal((await claim(store, { limit: 10 })).length, 10);
      await store.add("outbox", [recordOf("early", { dueAtMs: NOW - 1_000 })], NOW);
      // A claim that is not filled from where the last one ended looks at the beginning at once.
      assert.ok(ids(await claim(store, { limit: 20 })).includes("early"));
      await store.add("outbox", recordsOf("b", 40), NOW);
      assert.equal((await claim(store, { limit: 10 })).length, 10);
      await store.add("outbox", [recordOf("earlier", { dueAtMs: NOW - 2_000 })], NOW);
      // While claims are filled, one from the beginning comes after a second at the latest.
      const later = await claim(store, { limit: 10, nowMs: NOW + 1_000 });
      assert.equal(later[0]?.id, "earlier");
    }));

  it("wakes other stores, once for many calls, and not itself", () =>
    withStore(async ({ store, sql, schema }) => {
      const peer = postgresStore(sql, { schema });
      let [woken, own] = [0, 0];
      const { promise, resolve } = Promise.withResolvers<void>();
      await peer.listen?.((box) => {
        assert.equal(box, "outbox");
        woken += 1;
        resolve();
      });
      await store.listen?.(() => own += 1);
      await Promise.all(Array.from({ length: 50 }, () => store.notify?.("outbox")));
      await promise;
      await Promise.all([peer.close(), store.close()]);
      assert.ok(woken <= 2, `woken ${woken} times`);
      assert.equal(own, 0);
    }));

  it("adds a record and wakes other stores in one statement, which is not for many at once", () =>
    withSchema(async (sql, schema) => {
      const store = postgresStore(sql, { schema, wakeIntervalMs: 60_000 });
      const peer = postgresStore(sql, { schema });
      await store.ready();
      const { promise, resolve } = Promise.withResolvers<string>();
      await peer.listen?.(resolve);
      const taken = recordOf("taken");
      assert.equal(store.hints?.addAndNotify?.("inbox", taken, NOW), null);
      await store.add("inbox", [taken], NOW);
      const record = { ...recordOf("m-1"), hasNewKey: true };
      assert.deepEqual(await store.hints?.addAndNotify?.("inbox", record, NOW), { added: true });
      assert.equal(await promise, "inbox");
      const want = stored(recordOf("m-1"), "inbox");
      assert.deepEqual(await store.find("inbox", keyOf("m-1")), want);
      // The next word waits for its interval, so that records do not wait for one another's.
      assert.equal(store.hints?.addAndNotify?.("inbox", { ...record, id: "m-2" }, NOW), null);
      await Promise.all([peer.close(), store.close()]);
    }));

  it("waits for the disk for messages, claims and settlements, and not for renewals and clean-up", () =>
    withStore(async ({ store, sql, schema }) => {
      await sql.unsafe(`
        create table ${schema}.noted (what text, waits text);
        create function ${schema}.note() returns trigger language plpgsql as $$ begin
          insert into ${schema}.noted values (tg_op, current_setting('synchronous_commit'));
          return null;
        end $$;
        create trigger note after insert or update or delete on ${schema}.outbox
          for each statement execute function ${schema}.note()`);
      await store.add("outbox", [recordOf("m-1")], NOW);
      const claimed = await claimOne(store);
      await store.renew("outbox", [leaseOf(claimed)], NOW + HOUR_MS);
      await store.settle("outbox", [settlement(claimed)]);
      assert.equal(await store.prune("outbox", NOW + 1_000 * HOUR_MS, 10), 1);
      const noted = await sql.unsafe(`select what, waits from ${schema}.noted`).values();
      assert.deepEqual([...noted], [
        ["INSERT", "on"],
        ["UPDATE", "on"],
        ["UPDATE", "off"],
        ["UPDATE", "on"],
        ["DELETE", "off"],
      ]);
    }, { max: 1 }));
});

/** How many updates the outbox saw; statistics are sent when the one connection is idle. */
async function updates(
  sql: StoreRoom["sql"],
  schema: string,
): Promise<{ all: number; hot: number }> {
  await sql`select pg_stat_force_next_flush()`;
  const [row] = await sql`
    select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables
    where schemaname = ${schema} and relname = 'outbox'`;
  return row as unknown as { all: number; hot: number };
}

/** So many records of the inbox, of which those that `waits` picks are due and the others settled. */
async function rows({ sql, schema }: StoreRoom, count: number, waits: string): Promise<void> {
  await sql.unsafe(
    `insert into ${schema}.inbox
      (id, subscriber_group, name, sent_at_ms, due_at_ms, created_at_ms, epoch, state, lease_until_ms)
    select md5(random()::text), 'g', 'order.placed', $1::bigint - i, $1::bigint - i, $1::bigint, 1,
      case when ${waits} then 'scheduled' else 'succeeded' end,
      case when ${waits} and i % 4 = 0 then $1::bigint + 1000 end
    from generate_series(1, $2::int) i`,
    [NOW, count],
  );
}

/** 20,000 settled and 20,000 delayed records, a hundred that failed, and statistics that know of them. */
async function fill({ sql, schema }: StoreRoom): Promise<void> {
  await sql.unsafe(
    `insert into ${schema}.outbox
      (id, subscriber_group, name, sent_at_ms, due_at_ms, created_at_ms, epoch, state, expires_at_ms)
    select 'f' || i, '', 'order.placed', $1::bigint - i, $1::bigint + i, $1::bigint, 1,
      case when i % 400 = 0 then 'failed' when i % 2 = 0 then 'succeeded' else 'scheduled' end,
      case when i % 2 = 0 then $1::bigint - 1000000 + i end
    from generate_series(1, 40000) i`,
    [NOW],
  );
  await sql.unsafe(`analyze ${schema}.outbox`);
}

/** The plans of the statements that `work` runs, taken as the server makes them for any parameters. */
async function plansOf(
  { sql, schema }: StoreRoom,
  work: (store: StoreRoom["store"]) => Promise<void>,
): Promise<string[]> {
  const plans: string[] = [];
  let isReady = false;
  const explaining = new Proxy(sql, {
    get: (target, name) =>
      name !== "unsafe" ? Reflect.get(target, name) : (
        text: string,
        params: never[],
        options: { prepare?: boolean; simple?: boolean },
      ) => {
        const query = target.unsafe(text, params, options);
        return isReady ? Object.assign(query, { values: () => explained(text, params) }) : query;
      },
  });
  const explained = (text: string, params: never[]) =>
    sql.begin(async (tx) => {
      await tx`set local plan_cache_mode = force_generic_plan`;
      const options = { prepare: true };
      const rows = await tx.unsafe(`explain ${text}`, params, options).values();
      plans.push(rows.flat().join("\n"));
      return await tx.unsafe(text, params, options).values();
    });
  const store = postgresStore(explaining, { schema });
  await store.ready();
  isReady = true;
  await work(store);
  return plans;
}

/** Ends the connection that waits for a lock of this transaction, once there is one. */
async function killWhoWaits(tx: postgres.TransactionSql): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    const killed = await tx`
      select pg_terminate_backend(pid) from pg_locks
      where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`;
    if (killed.length > 0) return;
  }
  throw new Error("Cannot kill who waits for this transaction: nobody does");
}
