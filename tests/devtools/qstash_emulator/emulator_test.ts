import { afterEach, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  createQstashEmulator,
  type QstashEmulator,
  type QstashEmulatorOptions,
  type QstashEvent,
  virtualClock,
} from "../../../devtools/qstash_emulator/mod.ts";
import { AtlastError } from "../../../core/errors.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { randomFrom } from "../../support/random.ts";

const URL_A = "https://a.example/work";
const MINUTE_MS = 60_000;

/** An emulator of a test, with nothing but fetch handlers: no server, no client. */
interface World {
  readonly emulator: QstashEmulator;
  /** The destinations and bodies of what arrived, with the milliseconds since the start. */
  readonly arrived: { readonly url: string; readonly text: string; readonly atMs: number }[];
  readonly events: QstashEvent[];
  publish(url: string, headers?: Record<string, string>, body?: string): Promise<string>;
}

let worlds: QstashEmulator[] = [];

function world(
  options: QstashEmulatorOptions = {},
  answer: (url: string, request: Request) => Response | number | Promise<Response | number> = () =>
    200,
): World {
  const clock = options.clock ?? virtualClock(NOW_MS);
  const arrived: World["arrived"] = [];
  const events: QstashEvent[] = [];
  const emulator = createQstashEmulator({
    clock,
    random: randomFrom(7),
    fetch: async (request) => {
      const atMs = clock.now() - NOW_MS;
      const text = await request.clone().text();
      arrived.push({ url: request.url, text, atMs });
      const result = await answer(request.url, request);
      return typeof result === "number" ? new Response(null, { status: result }) : result;
    },
    onEvent: (event) => events.push(event),
    ...options,
  });
  worlds.push(emulator);
  return {
    emulator,
    arrived,
    events,
    async publish(url, headers = {}, body = "") {
      const token = emulator.env("").QSTASH_TOKEN;
      const response = await emulator.fetch(
        new Request(`http://qstash.test/v2/publish/${url}`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, ...headers },
          body,
        }),
      );
      assert.equal(response.status, 200, await response.clone().text());
      return (await response.json()).messageId;
    },
  };
}

describe("the QStash emulator", () => {
  afterEach(async () => {
    for (const emulator of worlds) await emulator.close();
    worlds = [];
  });

  describe("virtual time", () => {
    it("stands still: nothing is delivered until it is asked to", async () => {
      const { emulator, arrived, publish } = world();
      await publish(URL_A);
      await publish(URL_A, { "upstash-delay": "1m" });
      await new Promise((resolve) => setTimeout(resolve, 0));
      assert.equal(arrived.length, 0);
      await emulator.settled();
      assert.deepEqual(arrived.map(({ atMs }) => atMs), [0]);
      await emulator.advance(MINUTE_MS - 1);
      assert.equal(arrived.length, 1);
      await emulator.advance(1);
      assert.deepEqual(arrived.map(({ atMs }) => atMs), [0, MINUTE_MS]);
    });

    it("delivers each at its time, also what is published by a delivery", async () => {
      const { emulator, arrived, publish } = world({}, async (url) => {
        if (url.endsWith("/first")) {
          await publish("https://a.example/second", { "upstash-delay": "5s" });
        }
        return url.endsWith("/second") && arrived.length < 3 ? 500 : 200;
      });
      await publish("https://a.example/first", { "upstash-delay": "10s" });
      await emulator.advance(MINUTE_MS);
      assert.deepEqual(
        arrived.map(({ url, atMs }) => [url.split("/").at(-1), atMs]),
        [["first", 10_000], ["second", 15_000], ["second", 27_000]],
      );
    });

    it("is the same every time from the same seed, one delivery at a time", async () => {
      const runs = [];
      for (let run = 0; run < 2; run++) {
        const { emulator, arrived, events, publish } = world(
          { random: randomFrom(3), limits: { parallelism: 1 } },
          (_, { headers }) =>
            Number(headers.get("upstash-message-id")!.charCodeAt(9)) % 3 ? 500 : 200,
        );
        for (let n = 0; n < 30; n++) {
          await publish(`https://a.example/${n % 5}`, { "upstash-retries": "2" }, String(n));
        }
        await emulator.drain();
        runs.push([arrived, events]);
      }
      assert.deepEqual(runs[0], runs[1]);
    });

    it("sets out in order, whatever takes its time", async () => {
      const { emulator, arrived, publish } = world();
      const expected = Array.from({ length: 50 }, (_, n) => String(n));
      for (const body of expected) await publish(URL_A, {}, body);
      await emulator.settled();
      assert.deepEqual(arrived.map(({ text }) => text), expected);
    });

    it("takes any clock that can be moved", async () => {
      const clock = new ManualClock();
      const { emulator, arrived, publish } = world({ clock });
      await publish(URL_A, { "upstash-delay": "1m" });
      clock.advance(MINUTE_MS);
      await emulator.settled();
      assert.equal(arrived.length, 1);
      assert.equal(clock.waiting, 0);
    });

    it("drain says how far it went, and what is left at its end", async () => {
      const { emulator, publish } = world({}, () => 500);
      await publish(URL_A, { "upstash-retries": "1" });
      assert.equal(await emulator.drain(), 12_000);
      await publish(URL_A, { "upstash-delay": "2d" });
      await assert.rejects(
        emulator.drain(86_400_000),
        (error) => error instanceof AtlastError && error.code === "timeout",
      );
    });

    it("a destination that never answers is out of its time", async () => {
      const { emulator, arrived, events, publish } = world({}, () => new Promise<number>(() => {}));
      await publish(URL_A, { "upstash-timeout": "30s", "upstash-retries": "1" });
      await emulator.advance(30_000, { wait: false });
      await emulator.advance(12_000 + 30_000, { wait: false });
      assert.deepEqual(arrived.map(({ atMs }) => atMs), [0, 42_000]);
      assert.deepEqual(events.at(-1)!.state, "FAILED");
      assert.deepEqual(events.at(-1)!.status, 0);
    });

    it("real time cannot be moved", async () => {
      const clock = { now: () => 0, after: () => () => {} };
      for (const move of ["advance", "drain"] as const) {
        await assert.rejects(world({ clock }).emulator[move](1), /want a virtualClock\(\)/);
      }
    });
  });

  describe("real time", () => {
    it("delivers by itself, and says when nothing is left", async () => {
      const { clock } = { clock: { now: () => Date.now(), after: timer } };
      const { emulator, arrived, publish } = world(
        { clock },
        (_, { headers }) =>
          headers.get("upstash-retried") === "0"
            ? new Response(null, { status: 500, headers: { "retry-after": "0" } })
            : 200,
      );
      await publish(URL_A);
      await emulator.idle();
      assert.equal(arrived.length, 2);
      await emulator.idle();
    });

    it("resume, and a cancel, let the next ones go by themselves", async () => {
      const clock = { now: () => Date.now(), after: timer };
      const { emulator, arrived, publish } = world({ clock });
      const ask = async (method: string, path: string, headers = {}): Promise<Response> => {
        const authorization = `Bearer ${emulator.env("").QSTASH_TOKEN}`;
        const request = { method, headers: { authorization, ...headers } };
        return await emulator.fetch(new Request(`http://q.test${path}`, request));
      };
      const flow = {
        "upstash-flow-control-key": "k",
        "upstash-flow-control-value": "parallelism=1",
      };
      await ask("POST", "/v2/flowControl/k/pause");
      for (let n = 0; n < 3; n++) await publish(URL_A, flow);
      await ask("POST", "/v2/queues/q/pause");
      await ask("POST", "/v2/enqueue/q/https://a.example/queued");
      await ask("POST", "/v2/flowControl/k/resume");
      await ask("POST", "/v2/queues/q/resume");
      await emulator.idle();
      assert.equal(arrived.length, 4);

      // The first has the queue's only place and waits for its key; without it the second has the place.
      await ask("POST", "/v2/flowControl/k/pause");
      const held = await ask("POST", "/v2/enqueue/q/https://a.example/held", flow);
      await ask("POST", "/v2/enqueue/q/https://a.example/next");
      await emulator.settled();
      assert.equal(arrived.length, 4);
      await ask("DELETE", `/v2/messages/${(await held.json()).messageId}`);
      await emulator.idle();
      assert.deepEqual(arrived.slice(4).map(({ url }) => url), ["https://a.example/next"]);
    });

    it("close ends what is under way, and delivers nothing after it", async () => {
      const reached = Promise.withResolvers<void>();
      const { emulator, arrived, publish } = world(
        { clock: { now: () => Date.now(), after: timer } },
        () => {
          reached.resolve();
          return new Promise<number>(() => {});
        },
      );
      await publish(URL_A);
      await publish(URL_A, { "upstash-delay": "1s" });
      await reached.promise;
      const idle = emulator.idle();
      await emulator.close();
      await idle;
      await emulator.settled();
      assert.equal(arrived.length, 1);
    });
  });

  describe("what it never lets happen", () => {
    it("a message brings no header of QStash's own, and none of the connection", async () => {
      let seen = new Headers();
      const { emulator, publish } = world({}, (_, request) => {
        seen = request.headers;
        return 200;
      });
      const messageId = await publish(URL_A, {
        "upstash-forward-upstash-signature": "forged",
        "upstash-forward-upstash-message-id": "forged",
        "upstash-forward-upstash-topic-name": "forged",
        "upstash-forward-user-agent": "forged",
        "upstash-forward-host": "forged",
        "upstash-forward-content-length": "3",
        "upstash-forward-transfer-encoding": "chunked",
        "upstash-forward-x-fine": "yes",
      });
      await emulator.settled();
      assert.equal(seen.get("upstash-message-id"), messageId);
      assert.equal(seen.get("user-agent"), "Upstash-QStash");
      assert.equal(seen.get("x-fine"), "yes");
      assert.equal([...seen.values()].includes("forged"), false);
      assert.deepEqual(
        ["host", "transfer-encoding", "upstash-topic-name"].map((name) => seen.get(name)),
        [null, null, null],
      );
    });

    it("Upstash-Header-Forward forwards what came, and never the token", async () => {
      let seen = new Headers();
      const { emulator, publish } = world({}, (_, request) => {
        seen = request.headers;
        return 200;
      });
      await publish(URL_A, { "upstash-header-forward": "true", "x-hook": "h" });
      await emulator.settled();
      assert.deepEqual([seen.get("x-hook"), seen.get("authorization")], ["h", null]);
    });

    it("a user in a destination becomes a header, as in Go, and stays in the signature", async () => {
      let seen: Request | undefined;
      const { emulator, publish } = world({}, (_, request) => {
        seen = request;
        return 200;
      });
      await publish("https://me:p%40ss@a.example/x");
      await emulator.settled();
      assert.equal(seen!.url, "https://a.example/x");
      assert.equal(seen!.headers.get("authorization"), `Basic ${btoa("me:p@ss")}`);
      const [, claims] = seen!.headers.get("upstash-signature")!.split(".");
      const { sub } = JSON.parse(atob(claims!.replaceAll("-", "+").replaceAll("_", "/")));
      assert.equal(sub, "https://me:p%40ss@a.example/x");
    });

    it("events tell no body, no header and no answer", async () => {
      const { emulator, events, publish } = world({}, () => new Response("answer-s3cret"));
      await publish(URL_A, { "upstash-forward-x-key": "header-s3cret" }, "body-s3cret");
      await emulator.settled();
      assert.equal(events.length, 3);
      assert.doesNotMatch(JSON.stringify(events), /s3cret/);
    });
  });

  it("refuses options that cannot be meant", () => {
    const refused: QstashEmulatorOptions[] = [
      { plan: "gold" as "free" },
      { token: "" },
      { signingKeys: { current: "", next: "x" } },
    ];
    for (const options of refused) {
      assert.throws(
        () => createQstashEmulator(options),
        (error) => error instanceof AtlastError && error.code === "invalid_option",
      );
    }
  });
});

function timer(delayMs: number, wake: () => void): () => void {
  const id = setTimeout(wake, delayMs);
  return () => clearTimeout(id);
}
