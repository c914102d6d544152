import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const URL_A = "https://a.example/";

describe("client.queue", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  const queue = (queueName: string) => qstash.client.queue({ queueName });

  /** The texts of what arrives while `run` runs. */
  async function arriving(run: () => Promise<void>): Promise<string[]> {
    const from = qstash.deliveries.length;
    await run();
    return qstash.deliveries.slice(from).map(({ text }) => text);
  }

  it("upsert, get, list, delete", async () => {
    const nowMs = qstash.clock.now();
    await queue("q-1").upsert({ parallelism: 3 });
    await qstash.emulator.advance(5);
    await queue("q-1").upsert({ parallelism: 4, paused: true });
    const shown = {
      name: "q-1",
      createdAt: nowMs,
      updatedAt: nowMs + 5,
      parallelism: 4,
      paused: true,
      lag: 0,
    };
    assert.deepEqual(await queue("q-1").get(), shown);
    assert.deepEqual(await qstash.client.queue().list(), [shown]);
    await queue("q-1").delete();
    await rejectsWith(queue("q-1").get(), 404, /not found/);
    await rejectsWith(queue("q-1").delete(), 404, /not found/);
    assert.deepEqual(await qstash.client.queue().list(), []);
  });

  it("upsert refuses a bad name and more than the plan has", async () => {
    await rejectsWith(queue("a b").upsert({}), 400, /queue name/);
    await rejectsWith(queue("q").upsert({ parallelism: 101 }), 412, /Parallelism/);
    await rejectsWith(queue("q").upsert({ parallelism: 0 }), 400, /parallelism/);
  });

  it("enqueue, enqueueJSON: in order, one at a time, in a queue that is made if there is none", async () => {
    let active = 0;
    let most = 0;
    destination = async () => {
      most = Math.max(most, ++active);
      await Promise.resolve();
      active -= 1;
      return 200;
    };
    const texts = await arriving(async () => {
      for (let n = 1; n <= 3; n++) await queue("fifo").enqueueJSON({ url: URL_A, body: n });
      await queue("fifo").enqueue({ url: URL_A, body: "4", deduplicationId: "fifo-4" });
      await queue("fifo").enqueue({ url: URL_A, body: "4", deduplicationId: "fifo-4" });
      assert.equal((await queue("fifo").get()).lag, 4);
      await qstash.emulator.drain();
    });
    destination = () => 200;
    assert.deepEqual(texts, ["1", "2", "3", "4"]);
    assert.equal(most, 1);
    assert.deepEqual(await queue("fifo").get().then(({ parallelism, lag }) => [parallelism, lag]), [
      1,
      0,
    ]);
  });

  it("enqueue: the next waits for all retries of the one before it, and for its callbacks", async () => {
    destination = ({ text, url }) => url !== URL_A ? 200 : text === "1" ? 500 : 200;
    const texts = await arriving(async () => {
      const callbacks = {
        callback: "https://cb.example/c",
        failureCallback: "https://cb.example/f",
      };
      await queue("line").enqueue({ url: URL_A, body: "1", retries: 1, ...callbacks });
      await queue("line").enqueue({ url: URL_A, body: "2" });
      await qstash.emulator.drain();
    });
    destination = () => 200;
    const kinds = texts.map((text) =>
      text.length === 1 ? text : JSON.parse(text).dlqId ? "f" : "c"
    );
    assert.deepEqual(kinds, ["1", "c", "1", "c", "f", "2"]);
  });

  it("upsert parallelism 2: two at a time", async () => {
    await queue("two").upsert({ parallelism: 2 });
    destination = ({ text }) => text === "1" ? 500 : 200;
    const texts = await arriving(async () => {
      for (const body of ["1", "2", "3"]) {
        await queue("two").enqueue({ url: URL_A, body, retries: 1 });
      }
      await qstash.emulator.settled();
    });
    assert.deepEqual(texts, ["1", "2", "3"]);
    destination = () => 200;
    await qstash.emulator.drain();
  });

  it("pause, resume: nothing is delivered in between, and the order stays", async () => {
    await queue("held").enqueue({ url: URL_A, body: "1" });
    await queue("held").pause();
    await queue("held").enqueue({ url: URL_A, body: "2" });
    assert.deepEqual(await arriving(() => qstash.emulator.advance(60_000)), []);
    assert.deepEqual(await queue("held").get().then(({ paused, lag }) => [paused, lag]), [true, 2]);
    await queue("held").resume();
    assert.deepEqual(await arriving(async () => void await qstash.emulator.drain()), ["1", "2"]);
    await rejectsWith(queue("none").pause(), 404, /not found/);
  });

  it("pause holds back a retry too, and upsert resumes", async () => {
    destination = () => 500;
    await queue("held").enqueue({ url: URL_A, body: "1", retries: 1 });
    await queue("held").enqueue({ url: URL_A, body: "2", retries: 0 });
    await qstash.emulator.settled();
    await queue("held").pause();
    assert.deepEqual(await arriving(() => qstash.emulator.advance(60_000)), []);
    await queue("held").upsert({ parallelism: 1, paused: false });
    assert.deepEqual(await arriving(async () => void await qstash.emulator.drain()), ["1", "2"]);
    destination = () => 200;
  });

  it("pause holds back what only waits for its flow control key", async () => {
    await qstash.client.flowControl.pause("k");
    const flowControl = { key: "k", rate: 10 };
    await queue("held").enqueue({ url: URL_A, body: "1", flowControl });
    await qstash.emulator.settled();
    await queue("held").pause();
    await qstash.client.flowControl.resume("k");
    assert.deepEqual(await arriving(() => qstash.emulator.settled()), []);
    await queue("held").resume();
    assert.deepEqual(await arriving(() => qstash.emulator.settled()), ["1"]);
  });

  it("delete cancels what is in it", async () => {
    const from = qstash.deliveries.length;
    await queue("gone").enqueue({ url: URL_A });
    await queue("gone").delete();
    await qstash.emulator.drain();
    assert.equal(qstash.deliveries.length, from);
  });

  it("a delay joins the line when it is due, or holds it", async () => {
    for (const delayInQueue of ["joins_when_due", "holds_the_line"] as const) {
      const other = await virtualQstash(() => 200, { assume: { delayInQueue } });
      try {
        const line = other.client.queue({ queueName: "q" });
        await line.enqueue({ url: URL_A, body: "late", delay: 60 });
        await line.enqueue({ url: URL_A, body: "soon" });
        await other.emulator.drain();
        const texts = other.deliveries.map(({ text }) => text);
        const late = delayInQueue === "holds_the_line" ? ["late", "soon"] : ["soon", "late"];
        assert.deepEqual(texts, late);
      } finally {
        await other.close();
      }
    }
  });

  it("no more queues than the plan has", async () => {
    const other = await virtualQstash(() => 200, { plan: "free" });
    try {
      for (let n = 0; n < 10; n++) await other.client.queue({ queueName: `q${n}` }).upsert({});
      const eleventh = other.client.queue({ queueName: "q10" });
      await rejectsWith(eleventh.upsert({}), 412, /maxQueues/);
      await rejectsWith(eleventh.enqueue({ url: URL_A }), 412, /maxQueues/);
    } finally {
      await other.close();
    }
  });
});
