import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createRedisProxy } from "../../../devtools/upstash_redis_proxy/mod.ts";
import { startRedis } from "../../support/redis_server.ts";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();
const ENTRY = fileURLToPath(
  new URL("../../../devtools/upstash_redis_proxy/mod.ts", import.meta.url),
);

describe("a Redis proxy and its server", { skip: problem !== null && skipFor(problem) }, () => {
  it("finds the server again after a crash, with what was acknowledged", async () => {
    const upstash = await startUpstashRedis({ appendOnly: true });
    try {
      const acknowledged: number[] = [];
      let asked = 0;
      const load = async (): Promise<void> => {
        while (asked < 600) {
          const number = asked++;
          if (number === 300) {
            await upstash.server.kill();
            await upstash.server.start();
          }
          const added = await upstash.redis.sadd("done", number).catch(() => null);
          if (added !== null) acknowledged.push(number);
        }
      };
      await Promise.all(Array.from({ length: 8 }, load));
      const kept = new Set(await upstash.redis.smembers<number[]>("done"));
      assert.deepEqual(acknowledged.filter((number) => !kept.has(number)), []);
      assert.ok(acknowledged.includes(599), "it goes on after the crash");
      assert.ok(asked === 600);
    } finally {
      await upstash.stop();
    }
  });

  it("never sends a command twice when the server dies under it", async () => {
    const upstash = await startUpstashRedis({ appendOnly: true });
    try {
      await upstash.redis.set("n", 0);
      // Redis stands still, so that the command is on its way when it is killed.
      process.kill(upstash.server.pid, "SIGSTOP");
      const answer = fetch(`${upstash.url}/incr/n`, {
        headers: { authorization: `Bearer ${upstash.token}` },
      });
      while (upstash.proxy.billed.byCommand["INCR"] !== 1) {
        await (await fetch(upstash.url)).text(); // a turn of the proxy
      }
      await upstash.server.kill();
      await upstash.server.start();
      const response = await answer;
      assert.equal(response.status, 503);
      assert.deepEqual(await response.json(), { error: "ERR the proxy lost its Redis server" });
      assert.equal(await upstash.redis.get("n"), 0);
    } finally {
      await upstash.stop();
    }
  });

  it("waits for a server that is about to come, and says so when none does", async () => {
    const server = await startRedis();
    await server.kill();
    const ask = (proxy: { fetch(request: Request): Promise<Response> }): Promise<Response> =>
      proxy.fetch(
        new Request("http://proxy/set/k/v", { headers: { authorization: "Bearer token" } }),
      );
    const options = { redisUrl: server.url, token: "token" };
    const impatient = createRedisProxy({ ...options, waitMs: 1 });
    const patient = createRedisProxy({ ...options, waitMs: 60_000 });
    try {
      const response = await ask(impatient);
      assert.equal(response.status, 503);
      assert.deepEqual(await response.json(), {
        error: "ERR the proxy cannot reach its Redis server",
      });
      const waiting = ask(patient);
      await server.start();
      assert.deepEqual(await (await waiting).json(), { result: "OK" });
    } finally {
      await Promise.all([impatient.close(), patient.close()]);
      await server.stop();
    }
  });

  it("answers 503 once it is closed, also to who listens", async () => {
    const upstash = await startUpstashRedis();
    try {
      const headers = { authorization: `Bearer ${upstash.token}` };
      const events = await fetch(`${upstash.url}/subscribe/news`, { method: "POST", headers });
      assert.equal(events.headers.get("content-type"), "text/event-stream");
      await upstash.proxy.close();
      assert.equal(await events.text(), "data: subscribe,news,1\n\n");
      const late = await fetch(`${upstash.url}/get/k`, { headers });
      assert.deepEqual([late.status, await late.json()], [503, {
        error: "ERR the proxy cannot reach its Redis server",
      }]);
    } finally {
      await upstash.stop();
    }
  });

  it("uses the password and the database of its URL", async () => {
    const server = await startRedis({ args: ["--requirepass", "secret"] });
    const ask = async (redisUrl: string, path: string): Promise<Response> => {
      const proxy = createRedisProxy({ redisUrl, token: "token", waitMs: 2000 });
      try {
        return await proxy.fetch(
          new Request(`http://proxy${path}`, { headers: { authorization: "Bearer token" } }),
        );
      } finally {
        await proxy.close();
      }
    };
    try {
      const good = server.url.replace("//", "//:secret@");
      assert.equal((await ask(`${good}/3`, "/set/k/v")).status, 200);
      assert.deepEqual(await (await ask(`${good}/3`, "/get/k")).json(), { result: "v" });
      assert.deepEqual(await (await ask(good, "/get/k")).json(), { result: null });
    } finally {
      await server.stop();
    }
  });
});

describe("the Redis proxy as a program", { skip: problem !== null && skipFor(problem) }, () => {
  it("prints what an environment needs, serves, and ends when it is asked to", async () => {
    const server = await startRedis();
    const args = ["--redis-url", server.url, "--port", "0", "--token", "mine"];
    const child = run([...args, "--read-only-token", "reader"]);
    try {
      const [url, token, readOnly] = await values(child, 3);
      assert.match(url!, /^UPSTASH_REDIS_REST_URL="http:\/\/127.0.0.1:\d+"$/);
      assert.equal(token, 'UPSTASH_REDIS_REST_TOKEN="mine"');
      assert.equal(readOnly, 'UPSTASH_REDIS_REST_READONLY_TOKEN="reader"');
      const origin = /"(.*)"/.exec(url!)![1];
      const response = await fetch(`${origin}/set/k/v?_token=mine`);
      assert.deepEqual(await response.json(), { result: "OK" });
      const refused = await fetch(`${origin}/set/k/v?_token=reader`);
      assert.equal(refused.status, 400);
      await refused.body?.cancel();
      const ended = once(child, "exit");
      process.kill(child.pid!, "SIGTERM");
      assert.deepEqual(await ended, [0, null]);
    } finally {
      child.kill("SIGKILL");
      child.stdout!.destroy();
      await server.stop();
    }
  });

  it("says what is wrong with its arguments", () => {
    const wrong: [string[], RegExp][] = [
      [["--port", "many"], /Cannot listen on port many/],
      [["--redis-url", "http://x"], /Cannot use redisUrl/],
      [["--nothing"], /Unknown option '--nothing'/],
    ];
    for (const [args, message] of wrong) {
      const { status, stderr } = spawnSync(process.execPath, ["run", "-A", ENTRY, ...args], {
        encoding: "utf8",
      });
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
      assert.match(stderr, /--redis-url <url>/, "the usage follows");
      assert.doesNotMatch(stderr, / at .*\.ts/, "no stack");
    }
  });
});

function run(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["run", "-A", ENTRY, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** The first lines of the output that set a variable. */
async function values(child: ChildProcess, count: number): Promise<string[]> {
  let output = "";
  for await (const text of child.stdout!.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    output += text;
    const lines = output.split("\n").slice(0, -1).filter((line) => /^[A-Z_]+=/.test(line));
    if (lines.length >= count) return lines;
  }
  throw new Error(`Cannot read what the proxy printed: ${output}`);
}
