import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { describe, it } from "node:test";
import { upstashRedisStore } from "../../../../adapters/upstash_redis/mod.ts";
import { createBus, subscribe } from "../../../../mod.ts";
import { arriving, Placed } from "../../../support/bus_fixture.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { ROOT } from "../../../support/repository.ts";
import { skipFor } from "../../../support/skip.ts";
import { Streams } from "../../../support/upstash_stream.ts";
import {
  redisProblem,
  startUpstashRedis,
  type UpstashRedis,
} from "../../../support/upstash_redis.ts";

const A = Placed.name;
const { signal } = new AbortController();
const problem = redisProblem();
const skip = problem === null ? false : skipFor(problem);

function many(count: number) {
  return Array.from({ length: count }, (_, i) => arriving(`m-${i}`));
}

describe("Upstash streams: several processes", { skip }, () => {
  it("share what comes, each message once", { timeout: 60_000 }, async () => {
    const upstash = await startUpstashRedis();
    try {
      const streams = new Streams(upstash);
      await streams.make(A);
      await streams.process("g").send(many(500), signal);
      const children = await Promise.all([1, 2, 3].map(() => started(upstash, streams, "drain")));
      await Promise.all(children.map(({ output }) => output((text) => text.includes("ready"))));
      for (const { child } of children) child.stdin?.end("go\n");
      const taken = await Promise.all(children.map(({ output }) => output()));
      const ids = taken.map((text) => text.split("\n").filter((id) => id.startsWith("m-")));
      assert.deepEqual(ids.flat().toSorted(), many(500).map(({ id }) => id).toSorted());
      assert.deepEqual(await streams.pending(A, "g"), []);
    } finally {
      await upstash.stop();
    }
  });

  it(
    "one that is killed between inbox and acknowledgement leaves nothing undone, and nothing is done twice",
    {
      timeout: 60_000,
    },
    async () => {
      const upstash = await startUpstashRedis();
      try {
        const streams = new Streams(upstash);
        const transport = streams.process("g");
        await streams.make(A);
        await transport.send(many(30), signal);
        const { child, output } = await started(upstash, streams, "die");
        const closed = once(child, "close");
        await output((text) => text.includes("at: stored"));
        child.kill("SIGKILL");
        await closed;
        assert.equal((await streams.pending(A, "g")).length, 30);

        const clock = new ManualClock();
        const runs: string[] = [];
        const bus = createBus({
          store: upstashRedisStore({ redis: upstash.redis, prefix: streams.prefix }),
          transport,
          clock,
        }, [subscribe(Placed, { group: "g" }, (_body, { message }) => void runs.push(message.id))]);
        await streams.age(A, "g", 60_000);
        await streams.endTurns();
        const { received } = await bus.tick();
        // The inbox has them, and they are held by the dead one for as long as its lease.
        assert.deepEqual([received, runs], [30, []]);
        assert.deepEqual(await streams.pending(A, "g"), []);
        clock.advance(60_000);
        await bus.tick();
        assert.deepEqual(runs.toSorted(), many(30).map(({ id }) => id).toSorted());
        await bus.stop();
      } finally {
        await upstash.stop();
      }
    },
  );
});

describe("Upstash streams: a server that is killed in the middle of load", { skip }, () => {
  it("loses nothing that was sent", { timeout: 60_000 }, async () => {
    const upstash = await startUpstashRedis({ appendOnly: true });
    try {
      const streams = new Streams(upstash);
      const sent = new Set<string>();
      const received = new Set<string>();
      let isSending = true;
      let wake = () => {};
      const sender = streams.process("sender");
      const sending = (async () => {
        for (let round = 0; isSending; round++) {
          const batch = Array.from({ length: 10 }, (_, i) => arriving(`${round}-${i}`));
          const results = await sender.send(batch, signal);
          batch.forEach(({ id }, i) => results[i]?.kind === "sent" && sent.add(id));
        }
      })();
      // What a killed server had handed out is only found again as left behind.
      const options = { minIdleMs: 100, takeOverEveryMs: 50 };
      const receiving = ["a", "b"].map(async (consumer) => {
        const transport = streams.process("g", { consumer, ...options });
        while (isSending || [...sent].some((id) => !received.has(id))) {
          const request = { patterns: [A], limit: 20, nowMs: Date.now(), signal };
          await transport.pull(request, (messages) => {
            for (const { id } of messages) received.add(id);
            wake();
            return Promise.resolve(messages.map(() => ({ kind: "accepted" })));
          }).catch(() => {});
        }
      });
      for (let kill = 1; kill <= 3; kill++) {
        const before = received.size;
        while (received.size < before + 50) await new Promise<void>((resolve) => wake = resolve);
        await upstash.server.kill();
        await upstash.server.start();
      }
      isSending = false;
      await Promise.all([sending, ...receiving]);
      assert.ok(sent.size > 100);
    } finally {
      await upstash.stop();
    }
  });
});

/** Starts a process of the group; `output` gives all that it says, or as much as is wanted. */
async function started(
  { url, token }: UpstashRedis,
  { prefix }: Streams,
  mode: "drain" | "die",
): Promise<{
  readonly child: ChildProcess;
  output(isEnough?: (text: string) => boolean): Promise<string>;
}> {
  const child = spawn(process.execPath, [
    ...["run", "--quiet", "--allow-all", `${ROOT}tests/support/upstash_stream_child.ts`],
    ...[url, token, prefix, mode],
  ], { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  let wake = () => {};
  let hasClosed = false;
  child.stdout.setEncoding("utf8").on("data", (some: string) => {
    text += some;
    wake();
  });
  child.once("close", () => {
    hasClosed = true;
    wake();
  });
  await once(child, "spawn");
  return {
    child,
    async output(isEnough = () => false) {
      while (!isEnough(text) && !hasClosed) await new Promise<void>((resolve) => wake = resolve);
      return text;
    },
  };
}
