import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import process from "node:process";
import type postgres from "postgres";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { ServerClock } from "../../../adapters/sql/server_clock.ts";
import { createBus } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { ROOT } from "../../support/repository.ts";
import { skipFor } from "../../support/skip.ts";

const MINUTE_MS = 60_000;
const url = await postgresUrl();

/** Runs `tests/support/skewed_child.ts`, and returns what it printed. */
async function skewed(schema: string, aheadMs: number, action: string) {
  const child = spawn(process.execPath, [
    ...["run", "--quiet", "--no-check", "--allow-all", `${ROOT}tests/support/skewed_child.ts`],
    ...[url ?? "", schema, String(aheadMs), action],
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  await closed;
  return JSON.parse(output) as { readonly handled: number; readonly nowMs: number };
}

describe("the clock of a Postgres store", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  let sql: postgres.Sql;
  const schemas: string[] = [];
  before(() => void (sql = connect(url ?? "")));
  after(async () => {
    for (const schema of schemas) await dropSchema(sql, schema);
    await sql.end();
  });

  async function freshStore() {
    const schema = freshSchema();
    schemas.push(schema);
    const store = postgresStore(sql, { schema });
    await store.ready();
    return { schema, store };
  }

  async function serverMs(): Promise<number> {
    const [row] = await sql`select extract(epoch from clock_timestamp()) * 1000 as ms`;
    return Number(row?.["ms"]);
  }

  for (const action of ["publish", "publish many", "publish in tx"]) {
    for (const aheadMs of [5 * MINUTE_MS, -5 * MINUTE_MS]) {
      it(`due times follow the server: ${action}, ${aheadMs / MINUTE_MS} minutes ahead`, async () => {
        const { schema, store } = await freshStore();
        const fromMs = await serverMs();
        await skewed(schema, aheadMs, action);
        const untilMs = await serverMs();
        const record = await store.find("outbox", { id: "m", group: "" });
        assert.ok(record !== null && record.deadlineMs !== null);
        for (
          const [what, ms] of [
            ["due", record.dueAtMs - 2_000],
            ["deadline", record.deadlineMs - 60_000],
            ["sent", record.message.sentAtMs],
          ] as const
        ) {
          assert.ok(ms > fromMs - 1_000 && ms < untilMs + 1_000, `${what}: ${ms - fromMs} ms off`);
        }
      });
    }
  }

  it("a worker whose clock is 5 minutes behind handles at once what is due", async () => {
    const { schema, store } = await freshStore();
    const nowMs = Date.now();
    await store.add("inbox", [{
      id: "m",
      group: "g",
      message: {
        id: "m",
        name: Placed.name,
        headers: {},
        contentType: "application/json",
        body: `{"n":1}`,
        sentAtMs: nowMs,
      },
      state: "scheduled",
      dueAtMs: nowMs,
      deadlineMs: null,
      expiresAtMs: null,
      reason: null,
      retry: null,
      details: null,
      leaseUntilMs: null,
    }], nowMs);
    const { handled } = await skewed(schema, -5 * MINUTE_MS, "handle");
    assert.ok(handled > 0);
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.equal(record?.state, "succeeded");
  });

  it("is the machine's own where both agree, and a clock of the user's comes first", async () => {
    const { store } = await freshStore();
    const [fromMs, nowMs, untilMs] = [Date.now(), store.clock?.now() ?? 0, Date.now()];
    assert.ok(nowMs >= fromMs && nowMs <= untilMs);
    const bus = createBus({ store, transport: new FakeTransport(), clock: new ManualClock() });
    await bus.publish(Placed, { n: 1 }, { id: "own" });
    const record = await store.find("outbox", { id: "own", group: "" });
    assert.equal(record?.dueAtMs, NOW_MS);
    await bus.stop();
  });
});

describe("a clock that follows a server's", () => {
  function following(roundTripMs = 10) {
    const local = { nowMs: 1_000_000, monotonicMs: 0 };
    const pass = (ms: number) => {
      local.nowMs += ms;
      local.monotonicMs += ms;
    };
    const server = { aheadMs: 300_000, isDown: false, asked: 0 };
    const run = () => {
      server.asked += 1;
      if (server.isDown) return Promise.reject(new Error("down"));
      pass(roundTripMs / 2);
      const nowMs = local.monotonicMs + 1_000_000 + server.aheadMs;
      pass(roundTripMs / 2);
      return Promise.resolve([[nowMs]]);
    };
    const clock = new ServerClock({
      run,
      runIn: () => run,
      local: { now: () => local.nowMs, monotonic: () => local.monotonicMs },
    });
    return { clock, local, server, pass };
  }

  it("corrects itself by the difference, half of the round trip taken off", async () => {
    const { clock, local } = following();
    assert.equal(await clock.follow(), 300_000);
    assert.equal(clock.now(), local.nowMs + 300_000);
  });

  it("does not move for a difference within the error of the comparison", async () => {
    const { clock, server, local } = following(100);
    for (const aheadMs of [0, 49, -49]) {
      server.aheadMs = aheadMs;
      assert.equal(await (clock.follow() ?? 0), 0);
      assert.equal(clock.now(), local.nowMs);
    }
  });

  it("is compared once a minute, and at once when the local clock was set", async () => {
    const { clock, server, local, pass } = following();
    await clock.follow();
    assert.equal(clock.follow(), null);
    pass(59_000);
    assert.equal(clock.follow(), null);
    pass(1_000);
    await clock.follow();
    assert.equal(server.asked, 2);
    const nowMs = clock.now();
    local.nowMs -= 120_000;
    assert.equal(await clock.follow(), 120_000);
    assert.ok(Math.abs(clock.now() - nowMs) <= 20);
  });

  it("keeps its difference when the server cannot be asked, and asks again later", async () => {
    const { clock, server, local, pass } = following();
    await clock.follow();
    server.isDown = true;
    pass(60_000);
    assert.equal(await clock.follow(), 0);
    assert.equal(clock.now(), local.nowMs + 300_000);
    assert.equal(clock.follow(), null);
    server.isDown = false;
    server.aheadMs = 310_000;
    pass(5_000);
    assert.equal(await clock.follow(), 10_000);
  });

  it("takes the most exact of some slow answers", async () => {
    const { clock, server } = following(1_500);
    await clock.follow();
    assert.equal(server.asked, 3);
  });
});
