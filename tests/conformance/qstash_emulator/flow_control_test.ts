import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const URL_A = "https://a.example/";

describe("client.flowControl", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  const { get } = {
    get: (key: string) => qstash.client.flowControl.get(key),
  };

  function publish(key: string, limits: { parallelism?: number; rate?: number; period?: number }) {
    const flowControl = { key, ...limits } as { key: string; rate: number };
    return qstash.client.publish({ url: URL_A, flowControl });
  }

  /** How long after now each message of a key comes, in seconds. */
  async function times(run: () => Promise<unknown>): Promise<number[]> {
    const from = qstash.deliveries.length;
    const nowMs = qstash.clock.now();
    await run();
    return qstash.deliveries.slice(from).map(({ atMs }) => (atMs - nowMs) / 1000);
  }

  it("rate: so many in a period, the others wait in line", async () => {
    const found = await times(async () => {
      for (let n = 0; n < 5; n++) await publish("rate", { rate: 2, period: 60 });
      await qstash.emulator.settled();
      const info = await get("rate");
      assert.deepEqual(
        [info.waitListSize, info.rateMax, info.rateCount, info.ratePeriod],
        [3, 2, 2, 60],
      );
      assert.equal(info.ratePeriodStart, Math.floor(qstash.clock.now() / 1000));
      await qstash.emulator.drain();
    });
    assert.deepEqual(found, [0, 0, 60, 60, 120]);
  });

  it("parallelism: so many unanswered at once", async () => {
    const answers: ((status: number) => void)[] = [];
    destination = () => new Promise((resolve) => answers.push(resolve));
    for (let n = 0; n < 3; n++) await publish("par", { parallelism: 2 });
    await qstash.emulator.advance(0, { wait: false });
    const info = await get("par");
    assert.deepEqual([info.parallelismMax, info.parallelismCount, info.waitListSize], [2, 2, 1]);
    const global = await qstash.client.flowControl.getGlobalParallelism();
    assert.deepEqual(global, { parallelismMax: 100, parallelismCount: 2 });
    destination = () => 200;
    for (const answer of answers) answer(200);
    await qstash.emulator.drain();
    assert.equal((await get("par")).parallelismCount, 0);
  });

  it("the newest message's limits hold", async () => {
    await publish("new", { rate: 1, period: 60 });
    await publish("new", { parallelism: 7 });
    const { rateMax, parallelismMax } = await get("new");
    assert.deepEqual([rateMax, parallelismMax], [0, 7]);
    await qstash.emulator.drain();
  });

  it("pause, resume", async () => {
    await qstash.client.flowControl.pause("held");
    const found = await times(async () => {
      await publish("held", { rate: 10 });
      await qstash.emulator.advance(30_000);
      const { isPaused, waitListSize } = await get("held");
      assert.deepEqual([isPaused, waitListSize], [true, 1]);
      await qstash.client.flowControl.resume("held");
      await qstash.emulator.drain();
    });
    assert.deepEqual(found, [30]);
    assert.equal((await get("held")).isPaused, false);
  });

  it("pin, unpin: whatever messages bring", async () => {
    const { flowControl } = qstash.client;
    await flowControl.pin("pin", { parallelism: 3, rate: 1, period: 60 });
    const found = await times(async () => {
      for (let n = 0; n < 2; n++) await publish("pin", { rate: 100, parallelism: 50 });
      await qstash.emulator.drain();
    });
    assert.deepEqual(found, [0, 60]);
    const pinned = await get("pin");
    assert.deepEqual(
      [pinned.parallelismMax, pinned.rateMax, pinned.isPinnedParallelism, pinned.isPinnedRate],
      [3, 1, true, true],
    );
    await flowControl.unpin("pin", { rate: true });
    await publish("pin", { rate: 100, parallelism: 50 });
    const { isPinnedParallelism, isPinnedRate, parallelismMax, rateMax } = await get("pin");
    assert.deepEqual([isPinnedParallelism, isPinnedRate, parallelismMax, rateMax], [
      true,
      false,
      3,
      100,
    ]);
    await flowControl.unpin("pin", { parallelism: true });
    assert.equal((await get("pin")).isPinnedParallelism, false);
    await rejectsWith(flowControl.pin("pin", { rate: 0 }), 400, /rate/);
    await rejectsWith(flowControl.pin("pin", {}), 400, /pin/);
    await qstash.emulator.drain();
  });

  it("pin ends the period", async () => {
    const found = await times(async () => {
      for (let n = 0; n < 2; n++) await publish("pin-reset", { rate: 1, period: 3600 });
      await qstash.emulator.advance(10_000);
      await qstash.client.flowControl.pin("pin-reset", { rate: 1 });
      await qstash.emulator.settled();
    });
    assert.deepEqual(found, [0, 10]);
    await qstash.emulator.drain();
  });

  it("pin, unpin: a refused request makes no key", async () => {
    const { flowControl } = qstash.client;
    await rejectsWith(flowControl.pin("refused", { rate: 0 }), 400, /rate/);
    await rejectsWith(flowControl.unpin("refused", { rate: "no" as never }), 400, /true or false/);
    await rejectsWith(flowControl.get("refused"), 404, /not found/);
  });

  it("resetRate: the period ends at once", async () => {
    const found = await times(async () => {
      for (let n = 0; n < 2; n++) await publish("reset", { rate: 1, period: 3600 });
      await qstash.emulator.advance(10_000);
      await qstash.client.flowControl.resetRate("reset");
      await qstash.emulator.settled();
    });
    assert.deepEqual(found, [0, 10]);
    await qstash.emulator.drain();
  });

  it("keys do not hold each other up", async () => {
    await qstash.client.flowControl.pause("slow");
    await publish("slow", { rate: 1 });
    const found = await times(async () => {
      await publish("fast", { rate: 1 });
      await qstash.emulator.settled();
    });
    assert.deepEqual(found, [0]);
    await qstash.client.flowControl.resume("slow");
    await qstash.emulator.drain();
  });

  it("where all wait for the plan's parallelism, who came first goes first, with a key or without", async () => {
    const one = await virtualQstash(() => 200, { limits: { parallelism: 1 } });
    try {
      const flowControl = { key: "k", rate: 10 };
      await one.client.publish({ url: URL_A, body: "1", flowControl });
      await one.client.publish({ url: URL_A, body: "2" });
      await one.client.publish({ url: URL_A, body: "3", flowControl });
      await one.client.publish({ url: URL_A, body: "4" });
      await one.emulator.settled();
      assert.deepEqual(one.deliveries.map(({ text }) => text), ["1", "2", "3", "4"]);
    } finally {
      await one.close();
    }
  });

  it("get refuses a key that nobody used; REST lists the others", async () => {
    await rejectsWith(get("nobody"), 404, /not found/);
    const response = await fetch(`${qstash.url}/v2/flowControl`, {
      headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
    });
    const keys = (await response.json()).map((info: { flowControlKey: string }) =>
      info.flowControlKey
    );
    assert.ok(keys.includes("rate") && keys.includes("pin"));
  });

  it("getGlobalParallelism: no more at once than the plan has", async () => {
    let active = 0;
    let most = 0;
    const free = await virtualQstash(async () => {
      most = Math.max(most, ++active);
      await new Promise((resolve) => setTimeout(resolve, 0));
      active -= 1;
      return 200;
    }, { limits: { parallelism: 3 } });
    try {
      for (let n = 0; n < 10; n++) await free.client.publish({ url: URL_A });
      await free.emulator.drain();
      assert.deepEqual([free.deliveries.length, most], [10, 3]);
      const { parallelismMax } = await free.client.flowControl.getGlobalParallelism();
      assert.equal(parallelismMax, 3);
    } finally {
      await free.close();
    }
  });
});
