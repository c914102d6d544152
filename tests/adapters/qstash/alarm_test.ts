import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  qstashAlarm,
  type QstashAlarmOptions,
  qstashTransport,
} from "../../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { createApp } from "../../../edge/mod.ts";
import { createBus } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { Observed } from "../../support/observed.ts";
import { type Delivery, virtualQstash } from "../../support/qstash.ts";

const TICK_URL = "https://orders.example/tick";
const ELSEWHERE = "https://mail.example/deliver";
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A service that has nothing resident: each request to it is a bus of its own on the same store. */
async function service(options: Partial<QstashAlarmOptions> = {}) {
  const qstash = await virtualQstash(async ({ url }, request) => {
    if (url.startsWith(ELSEWHERE)) return 200;
    return await app().fetch(request);
  });
  const { client, clock, emulator } = qstash;
  const { current: currentSigningKey, next: nextSigningKey } = emulator.keys;
  const store = memoryStore();
  const observed = new Observed();
  const verify = verifyQstash({ currentSigningKey, nextSigningKey, url: TICK_URL, clock });
  const alarm = (own: Partial<QstashAlarmOptions> = {}) =>
    qstashAlarm({ client, clock, name: "orders", tickUrl: TICK_URL, ...options, ...own });
  const bus = () =>
    createBus({
      store,
      transport: qstashTransport({ client, clock, routes: { "#": ELSEWHERE } }),
      alarm: alarm(),
      clock,
      random: () => 0,
      observe: observed.observe,
    });
  const app = () => createApp(bus(), { verify, tick: { verify } });
  const startMs = clock.now();
  const by = (is: (delivery: Delivery) => boolean) =>
    qstash.deliveries.filter(is).map(({ atMs }) => atMs - startMs);
  return {
    ...qstash,
    store,
    alarm,
    bus,
    observed,
    startMs,
    sweeps: () => by(({ headers }) => headers.has("upstash-schedule-id")),
    pings: () => by(({ url, headers }) => url === TICK_URL && !headers.has("upstash-schedule-id")),
    sent: () => by(({ url }) => url.startsWith(`${ELSEWHERE}?`)),
  };
}

/** Runs a test on a service of its own. */
async function within(
  options: Partial<QstashAlarmOptions>,
  run: (own: Awaited<ReturnType<typeof service>>) => Promise<void>,
): Promise<void> {
  const own = await service(options);
  try {
    await run(own);
    assert.deepEqual(own.observed.all("error"), []);
  } finally {
    await own.close();
  }
}

describe("a bus that QStash wakes", () => {
  it("costs nothing on an idle day but the sweeps", async () => {
    await within({}, async ({ alarm, emulator, sweeps, pings }) => {
      await alarm().ensureSchedule();
      await alarm().ensureSchedule();
      await emulator.advance(24 * HOUR_MS);
      assert.deepEqual([sweeps().length, pings().length], [144, 0]);
    });
    await within({ sweepMinutes: 60 }, async ({ alarm, emulator, sweeps, pings }) => {
      await alarm().ensureSchedule();
      await emulator.advance(24 * HOUR_MS);
      assert.deepEqual([sweeps().length, pings().length], [24, 0]);
    });
  });

  it("is woken once for messages of one time, whoever asks and however often", async () => {
    await within({}, async ({ bus, emulator, pings, sent }) => {
      const delayMs = 5 * MINUTE_MS;
      for (let n = 0; n < 5; n++) await bus().publish(Placed, { n }, { delayMs });
      await Promise.all([1, 2, 3, 4, 5].map(() => bus().tick()));
      await emulator.advance(4 * MINUTE_MS);
      await bus().tick();
      assert.deepEqual([pings(), sent()], [[], []]);
      await emulator.advance(2 * MINUTE_MS);
      assert.equal(pings().length, 1);
      assert.equal(sent().length, 5);
      const [at = 0] = pings();
      assert.ok(at >= delayMs && at <= delayMs + 11_000, String(at));
    });
  });

  it("is woken for each time in turn, and then no more", async () => {
    await within({}, async ({ bus, emulator, pings, sent }) => {
      for (const minutes of [1, 2, 3]) {
        await bus().publish(Placed, { n: minutes }, { delayMs: minutes * MINUTE_MS });
      }
      await emulator.advance(HOUR_MS);
      assert.deepEqual([pings().length, sent().length], [3, 3]);
    });
  });

  it("is woken for a time days away by the sweeps before it, with one message", async () => {
    await within({}, async ({ bus, emulator, client, startMs, pings, sent, sweeps }) => {
      const delayMs = 50 * HOUR_MS + 7 * MINUTE_MS;
      await bus().publish(Placed, { n: 1 }, { delayMs });
      // Nobody made the schedule: the alarm did, when it was asked for a time after the next sweep.
      assert.equal((await client.schedules.list()).length, 1);
      await emulator.advance(delayMs + MINUTE_MS);
      assert.ok(sweeps().length >= 50 * 6, String(sweeps().length));
      const [at = 0] = sent();
      assert.ok(at >= delayMs && at <= delayMs + 11_000, String(at - delayMs));
      // Where a sweep comes in the very moment, it does the work itself.
      const isSwept = (startMs + delayMs) % (10 * MINUTE_MS) > 590_000;
      assert.equal(pings().length, isSwept ? 0 : 1);
    });
  });

  it("is woken for what was published and not sent, when its publisher had time to", async () => {
    await within({}, async ({ bus, emulator, pings, sent }) => {
      await bus().publish(Placed, { n: 1 });
      await emulator.advance(MINUTE_MS - 1);
      assert.deepEqual([pings(), sent()], [[], []]);
      await emulator.advance(12_000);
      assert.deepEqual([pings().length, sent().length], [1, 1]);
    });
    await within({ graceMs: null }, async ({ bus, alarm, emulator, pings, sent }) => {
      await alarm().ensureSchedule();
      await bus().publish(Placed, { n: 1 });
      await emulator.advance(11 * MINUTE_MS);
      assert.deepEqual([pings().length, sent().length], [0, 1]);
    });
  });

  it("is woken for the next attempt of what could not be sent", async () => {
    await within({ graceMs: null }, async ({ bus, emulator, pings, sent, store }) => {
      const { id } = await bus().publish(Placed, { n: 1 });
      emulator.rateLimit("burst");
      await bus().flush();
      const record = await store.find("outbox", { id, group: "" });
      assert.match(record?.reason ?? "", /rate limit is reached/);
      await emulator.advance(MINUTE_MS);
      assert.deepEqual([pings().length, sent().length], [1, 1]);
    });
  });

  it("is woken again where its clock is behind, and it was too early", async () => {
    await within({}, async ({ bus, client, clock, emulator, pings, sent, startMs }) => {
      await bus().publish(Placed, { n: 1 }, { delayMs: MINUTE_MS });
      // The tick of a ping that comes two seconds early.
      const at = Math.ceil((startMs + MINUTE_MS) / 10_000) * 10_000;
      const early = { now: () => clock.now() - 2_000 };
      await emulator.advance(at - startMs - 1);
      await qstashAlarm({ client, clock: early, name: "orders", tickUrl: TICK_URL }).arm(at - 1);
      await emulator.advance(MINUTE_MS);
      assert.deepEqual(pings(), [at - startMs, at - startMs + 10_000]);
      assert.equal(sent().length, 1);
    });
  });

  it("keeps its messages apart from those of another bus", async () => {
    await within({}, async ({ alarm, emulator, clock, pings }) => {
      const atMs = clock.now() + MINUTE_MS;
      await alarm().arm(atMs);
      await alarm({ name: "stock" }).arm(atMs);
      await emulator.advance(2 * MINUTE_MS);
      assert.equal(pings().length, 2);
    });
  });
});

describe("an alarm on QStash", () => {
  it("does not ask again for a time that it has armed", async () => {
    let requests = 0;
    const client = {
      publish: () => Promise.resolve(void requests++),
      batch: () => Promise.resolve([]),
      dlq: {
        listMessages: () => Promise.resolve({ messages: [] }),
        retry: () => Promise.resolve(),
      },
      schedules: { create: () => Promise.resolve(), get: () => Promise.resolve() },
    };
    const alarm = qstashAlarm({ client, name: "orders", tickUrl: TICK_URL });
    const atMs = Date.now() + MINUTE_MS;
    for (let n = 0; n < 10; n++) await alarm.arm(atMs);
    assert.equal(requests, 1);
  });

  it("says in words when QStash does not take it", async () => {
    const { client, close, emulator } = await virtualQstash();
    const alarm = qstashAlarm({ client, name: "orders", tickUrl: TICK_URL });
    emulator.rateLimit("daily");
    await assert.rejects(alarm.arm(Date.now()), {
      code: "unreachable",
      message: "Cannot arm the alarm: QStash's daily limit is reached",
    });
    await close();
    await assert.rejects(alarm.ensureSchedule(), { code: "unreachable" });
  });

  it("refuses options that make no sense", () => {
    const wrong: Partial<Record<keyof QstashAlarmOptions, unknown>>[] = [
      { name: "" },
      { name: "a b" },
      { tickUrl: "orders.example" },
      { tickUrl: "https://orders.example/tick?upstash-retries=9" },
      { sweepMinutes: 7 },
      { graceMs: -1 },
      { precisionMs: 0 },
      { token: undefined },
    ];
    for (const options of wrong) {
      assert.throws(
        () => qstashAlarm({ token: "t", name: "orders", tickUrl: TICK_URL, ...options } as never),
        { code: "invalid_option" },
      );
    }
  });
});
