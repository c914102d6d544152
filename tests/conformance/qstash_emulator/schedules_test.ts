import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const URL_A = "https://a.example/cron?x=1";
const MINUTE_MS = 60_000;

describe("client.schedules", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  /** Moves the time to a whole hour, so that the minutes of a test are known. */
  async function toTheHour(): Promise<number> {
    await qstash.emulator.advance(60 * MINUTE_MS - qstash.clock.now() % (60 * MINUTE_MS));
    return qstash.clock.now();
  }

  it("create, get, list, delete", async () => {
    const nowMs = await toTheHour();
    const { scheduleId } = await qstash.client.schedules.create({
      destination: URL_A,
      cron: "*/5 * * * *",
      scheduleId: "sched-1",
      body: `{"n":1}`,
      headers: { "X-My": "1" },
      method: "PUT",
      delay: 30,
      retries: 1,
      retryDelay: "1000",
      timeout: 10,
      callback: "https://cb.example/ok",
      failureCallback: "https://cb.example/fail",
      queueName: "q-s",
      label: ["a", "b"],
      flowControl: { key: "fk", parallelism: 1, rate: 2, period: 60 },
      redact: { header: ["x-my"] },
    });
    assert.equal(scheduleId, "sched-1");
    // The client adds a rate by its older name.
    const { header, ratePerSecond: _, ...schedule } = await qstash.client.schedules.get("sched-1");
    assert.match(header!["X-My"]![0]!, /^REDACTED:/);
    assert.deepEqual(schedule, {
      scheduleId: "sched-1",
      cron: "*/5 * * * *",
      createdAt: nowMs,
      destination: URL_A,
      method: "PUT",
      body: `{"n":1}`,
      delay: 30,
      retries: 1,
      retryDelayExpression: "1000",
      callback: "https://cb.example/ok",
      failureCallback: "https://cb.example/fail",
      queueName: "q-s",
      label: "a",
      labels: ["a", "b"],
      flowControlKey: "fk",
      parallelism: 1,
      rate: 2,
      period: 60,
      isPaused: false,
      callerIP: "127.0.0.1",
      nextScheduleTime: nowMs + 5 * MINUTE_MS,
    });
    const listed = await qstash.client.schedules.list();
    assert.deepEqual(listed.map((one) => one.scheduleId), ["sched-1"]);
    await qstash.client.schedules.delete("sched-1");
    await rejectsWith(qstash.client.schedules.get("sched-1"), 404, /not found/);
    await rejectsWith(qstash.client.schedules.delete("sched-1"), 404, /not found/);
  });

  it("create: a message at each time, with its delay and the schedule's id", async () => {
    const nowMs = await toTheHour();
    const from = qstash.deliveries.length;
    const { scheduleId } = await qstash.client.schedules.create({
      destination: URL_A,
      cron: "*/20 * * * *",
      body: "b",
      delay: 30,
    });
    assert.match(scheduleId, /^scd_/);
    await qstash.emulator.advance(61 * MINUTE_MS);
    const sent = qstash.deliveries.slice(from);
    assert.deepEqual(
      sent.map(({ atMs }) => (atMs - nowMs) / MINUTE_MS),
      [20.5, 40.5, 60.5],
    );
    assert.ok(sent.every(({ headers }) => headers.get("upstash-schedule-id") === scheduleId));
    assert.ok(sent.every(({ url, text }) => url === URL_A && text === "b"));
    const { lastScheduleTime, nextScheduleTime, lastScheduleStates } = await qstash.client.schedules
      .get(scheduleId);
    assert.equal(lastScheduleTime, nowMs + 60 * MINUTE_MS);
    assert.equal(nextScheduleTime, nowMs + 80 * MINUTE_MS);
    assert.deepEqual(Object.values(lastScheduleStates!), ["SUCCESS"]);
    const { logs } = await qstash.client.logs({ filter: { scheduleId, state: "DELIVERED" } });
    assert.equal(logs.length, 3);
    await qstash.client.schedules.delete(scheduleId);
    assert.equal(await qstash.emulator.drain(), 0);
  });

  it("lastScheduleStates: a message in progress, and one that failed", async () => {
    await toTheHour();
    destination = () => 500;
    const { scheduleId } = await qstash.client.schedules.create({
      destination: URL_A,
      cron: "0 * * * *",
      retries: 1,
    });
    await qstash.emulator.advance(60 * MINUTE_MS);
    const states = async () =>
      Object.values((await qstash.client.schedules.get(scheduleId)).lastScheduleStates!);
    assert.deepEqual(await states(), ["IN_PROGRESS"]);
    await qstash.emulator.advance(12_000);
    destination = () => 200;
    assert.deepEqual(await states(), ["FAIL"]);
    await qstash.client.schedules.delete(scheduleId);
  });

  it("create with CRON_TZ: the time of a place", async () => {
    const { scheduleId } = await qstash.client.schedules.create({
      destination: URL_A,
      cron: "CRON_TZ=America/New_York 0 4 * * *",
    });
    const { nextScheduleTime } = await qstash.client.schedules.get(scheduleId);
    const hour = new Intl.DateTimeFormat("en-US", {
      timeZone: "America/New_York",
      hour: "numeric",
      minute: "numeric",
    }).format(nextScheduleTime);
    assert.match(hour, /^4:00\sAM$/);
    await qstash.client.schedules.delete(scheduleId);
  });

  it("create with an id that is there puts a new one in its place", async () => {
    await toTheHour();
    const from = qstash.deliveries.length;
    const schedule = { destination: URL_A, scheduleId: "same" };
    await qstash.client.schedules.create({ ...schedule, cron: "* * * * *", body: "old" });
    await qstash.client.schedules.create({ ...schedule, cron: "*/2 * * * *", body: "new" });
    await qstash.emulator.advance(4 * MINUTE_MS);
    assert.deepEqual(qstash.deliveries.slice(from).map(({ text }) => text), ["new", "new"]);
    await qstash.client.schedules.delete("same");
  });

  it("pause, resume: what is due in between is not made up for", async () => {
    const nowMs = await toTheHour();
    const from = qstash.deliveries.length;
    const { scheduleId: schedule } = await qstash.client.schedules.create({
      destination: URL_A,
      cron: "*/10 * * * *",
    });
    await qstash.client.schedules.pause({ schedule });
    assert.equal((await qstash.client.schedules.get(schedule)).isPaused, true);
    await qstash.emulator.advance(25 * MINUTE_MS);
    assert.equal(qstash.deliveries.length, from);
    await qstash.client.schedules.resume({ schedule });
    await qstash.emulator.advance(5 * MINUTE_MS);
    assert.deepEqual(qstash.deliveries.slice(from).map(({ atMs }) => atMs), [
      nowMs + 30 * MINUTE_MS,
    ]);
    // The documentation has POST where the client has PATCH.
    const headers = { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` };
    const url = `${qstash.url}/v2/schedules/${schedule}/pause`;
    assert.equal((await fetch(url, { method: "POST", headers })).status, 200);
    assert.equal((await qstash.client.schedules.get(schedule)).isPaused, true);
    await qstash.client.schedules.delete(schedule);
  });

  it("create for a URL group and a queue", async () => {
    await toTheHour();
    await qstash.client.urlGroups.addEndpoints({
      name: "g",
      endpoints: [{ url: "https://g1.example/" }, { url: "https://g2.example/" }],
    });
    const from = qstash.deliveries.length;
    const { scheduleId } = await qstash.client.schedules.create({
      destination: "g",
      cron: "* * * * *",
      queueName: "q-sched",
    });
    await qstash.emulator.advance(MINUTE_MS);
    const sent = qstash.deliveries.slice(from).map(({ url }) => url);
    assert.deepEqual(sent, ["https://g1.example/", "https://g2.example/"]);
    assert.equal((await qstash.client.queue({ queueName: "q-sched" }).get()).parallelism, 1);
    await qstash.client.schedules.delete(scheduleId);
  });

  const refused: [string, Parameters<typeof qstash.client.schedules.create>[0], RegExp][] = [
    ["no cron expression", { destination: URL_A, cron: "soon" }, /cron/],
    ["seconds", { destination: URL_A, cron: "* * * * * *" }, /cron/],
    ["an unknown zone", { destination: URL_A, cron: "CRON_TZ=Mars/Base * * * * *" }, /cron/],
    ["a bad id", { destination: URL_A, cron: "* * * * *", scheduleId: "a b" }, /schedule id/],
    ["a destination without a scheme", { destination: "a.example", cron: "* * * * *" }, /scheme/],
  ];
  for (const [what, request, text] of refused) {
    it(`create refuses ${what}`, async () => {
      await rejectsWith(qstash.client.schedules.create(request), 400, text);
    });
  }

  it("no more schedules than the plan has", async () => {
    const free = await virtualQstash(() => 200, { plan: "free" });
    try {
      const schedule = { destination: URL_A, cron: "0 0 1 1 *" };
      for (let n = 0; n < 10; n++) await free.client.schedules.create(schedule);
      await rejectsWith(free.client.schedules.create(schedule), 412, /maxSchedules/);
    } finally {
      await free.close();
    }
  });
});
