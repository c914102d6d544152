import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();

describe("requests that the official client does not send", {
  skip: problem !== null && skipFor(problem),
}, () => {
  let upstash: UpstashRedis;
  before(async () => {
    upstash = await startUpstashRedis();
  });
  after(() => upstash.stop());
  beforeEach(() => upstash.redis.flushall());

  /** Asks with the token; a body makes it a POST. */
  function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${upstash.token}`);
    const method = init.method ?? (init.body === undefined ? "GET" : "POST");
    return fetch(upstash.url + path, { ...init, method, headers });
  }

  async function result(path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await ask(path, init);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text).result;
  }

  it("have the command in the path", async () => {
    assert.equal(await result("/set/k/v"), "OK");
    assert.equal(await result("/get/k"), "v");
    assert.equal(await result("/GET/k"), "v");
    assert.equal(await result("/get/k", { method: "POST" }), "v");
    assert.equal(await result("/incrby/n/5", { method: "PUT" }), 5);
    assert.deepEqual(await result("/mget/k/nothing"), ["v", null]);
    assert.equal(await result("/ping"), "PONG");
  });

  it("have escapes in the path, which may be no text", async () => {
    await result("/set/a%2Fb%20c/1%25+2");
    assert.equal(await result("/get/a%2fb%20c"), "1%+2");
    await result("/set/%C3%A9/%E2%82%AC");
    assert.equal(await upstash.redis.get("é"), "€");
    await result("/set/raw/%00%FF%80");
    const headers = { "upstash-encoding": "base64" };
    assert.equal(await result("/get/raw", { headers }), "AP+A");
    assert.equal(await result("/set/loose/100%zz"), "OK");
    assert.equal(await result("/get/loose"), "100%zz");
  });

  it("have empty arguments in the path", async () => {
    assert.equal(await result("/set/k/"), "OK");
    assert.equal(await result("/get/k"), "");
    assert.equal(await result("/exists/"), 0);
  });

  it("have the value in the body and options in the query, which come last", async () => {
    assert.equal(await result("/set/k?EX=100&NX", { body: "v" }), "OK");
    assert.equal(await result("/get/k"), "v");
    const ttl = await result("/ttl/k");
    assert.ok(typeof ttl === "number" && ttl > 0 && ttl <= 100);
    assert.equal(await result("/set/k?NX", { body: "w" }), null);
    assert.equal(await result("/set/k/v2?XX&KEEPTTL"), "OK");
    assert.equal(await result("/append/k?a+b%2B"), 2 + "a b+".length);
    assert.equal(await result("/get/k"), "v2a b+");
  });

  it("have bytes in the body", async () => {
    const bytes = Uint8Array.from([0, 255, 128, 10, 13]);
    assert.equal(await result("/set/raw", { body: bytes }), "OK");
    assert.equal(await result("/strlen/raw"), 5);
    const headers = { "upstash-encoding": "base64" };
    assert.equal(await result("/get/raw", { headers }), btoa(String.fromCharCode(...bytes)));
    assert.equal(await result("/get/raw"), "\u0000\ufffd\ufffd\n\r", "without base64 it is text");
  });

  it("have the command as JSON with numbers, null and true in it", async () => {
    assert.equal(await result("/", { body: '["SET","k",1.5,"EX",100]' }), "OK");
    assert.equal(await result("/get/k"), "1.5");
    await result("/", { body: '["rpush","l",null,true,-7]' });
    assert.deepEqual(await result("/lrange/l/0/-1"), ["null", "true", "-7"]);
    assert.equal(await result("/", { method: "PUT", body: '["GET","k"]' }), "1.5");
  });

  it("give integers with every digit", async () => {
    await result("/set/n/9223372036854775806");
    assert.equal(
      await (await ask("/incr/n")).text(),
      '{"result":9223372036854775807}',
    );
  });

  it("send many commands, whose items fail by themselves", async () => {
    const body = JSON.stringify([["SET", "k", "v"], ["INCR", "k"], ["BLPOP", "l", 0], [
      "GET",
      "k",
    ]]);
    const pipeline = await ask("/pipeline", { body });
    assert.equal(pipeline.status, 200);
    assert.deepEqual(await pipeline.json(), [
      { result: "OK" },
      { error: "ERR value is not an integer or out of range" },
      {
        error: 'ERR Command "BLPOP" is not allowed in REST or it has a special context path',
      },
      { result: "v" },
    ]);
    assert.deepEqual(await (await ask("/pipeline", { body: "[]" })).json(), []);
  });

  it("discard a transaction with a command that cannot run", async () => {
    for (const wrong of [["NOSUCH"], ["BLPOP", "l", 0], ["GET"], ["EVAL"]]) {
      const body = JSON.stringify([["SET", "k", "v"], wrong]);
      const response = await ask("/multi-exec", { body });
      assert.equal(response.status, 400);
      assert.deepEqual(await response.json(), {
        error: "EXECABORT Transaction discarded because of previous errors.",
      });
      assert.equal(await result("/exists/k"), 0);
    }
  });

  it("run a transaction as one, while others write", async () => {
    const increments = Array.from({ length: 20 }, () => ["INCR", "n"]);
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const response = await ask("/multi-exec", { body: JSON.stringify(increments) });
        return (await response.json() as { result: number }[]).map((item) => item.result);
      }),
    );
    for (const [first, ...rest] of answers) {
      assert.deepEqual(rest, rest.map((_, at) => first! + at + 1));
    }
  });

  it("let the commands of others in between those of a pipeline", async () => {
    const increments = Array.from({ length: 200 }, () => ["INCR", "n"]);
    const answers = await Promise.all(
      Array.from({ length: 2 }, async () => {
        const response = await ask("/pipeline", { body: JSON.stringify(increments) });
        return (await response.json() as { result: number }[]).map((item) => item.result);
      }),
    );
    const isTogether = (numbers: number[]): boolean => numbers.at(-1)! - numbers[0]! === 199;
    assert.ok(!answers.every(isTogether));
  });

  it("have every string as base64 but OK by itself", async () => {
    const headers = { "upstash-encoding": "base64" };
    assert.equal(await result("/set/k/OK", { headers }), "OK");
    assert.equal(await result("/ping", { headers }), btoa("PONG"));
    await result("/rpush/l/OK");
    assert.deepEqual(await result("/lrange/l/0/-1", { headers }), [btoa("OK")]);
    const body = JSON.stringify(["EVAL", "return {{ok='OK'}, {err='MINE no'}}", 0]);
    assert.deepEqual(await result("/", { headers, body }), [btoa("OK"), btoa("MINE no")]);
  });

  it("have the answer in Redis's own format", async () => {
    const headers = { "upstash-response-format": "resp2" };
    const text = async (path: string, init: RequestInit = {}): Promise<string> => {
      const response = await ask(path, { ...init, headers });
      assert.equal(response.headers.get("content-type"), "application/octet-stream");
      return await response.text();
    };
    assert.equal(await text("/set/k/v"), "+OK\r\n");
    assert.equal(await text("/get/k"), "$1\r\nv\r\n");
    assert.equal(await text("/get/nothing"), "$-1\r\n");
    const error = "-ERR value is not an integer or out of range\r\n";
    assert.equal(await text("/incr/k"), error);
    const body = JSON.stringify([["DBSIZE"], ["INCR", "k"], ["MGET", "k"]]);
    assert.equal(await text("/pipeline", { body }), `*3\r\n:1\r\n${error}*1\r\n$1\r\nv\r\n`);
    for (
      const init of [
        { path: "/get/k", headers: { ...headers, "upstash-encoding": "base64" } },
        { path: "/multi-exec", headers, body: '[["GET","k"]]' },
      ]
    ) {
      const response = await ask(init.path, init);
      assert.equal(response.status, 400);
      assert.match(await response.text(), /"error":"ERR resp2/);
    }
  });

  it("have the token in the query", async () => {
    const open = await fetch(`${upstash.url}/set/k?_token=${upstash.token}&EX=100`, {
      method: "POST",
      body: "v",
    });
    assert.deepEqual(await open.json(), { result: "OK" });
    assert.equal(await result("/get/k"), "v");
  });

  it("ask only for the head", async () => {
    await result("/set/k/v");
    const response = await ask("/get/k", { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "");
    assert.equal((await ask("/incr/k", { method: "HEAD" })).status, 400);
  });
});

describe("options of the Redis proxy", { skip: problem !== null && skipFor(problem) }, () => {
  it("leave OK in an array as it is, which the official client takes for 8", async () => {
    const upstash = await startUpstashRedis({ proxy: { plainNestedOk: true } });
    try {
      assert.deepEqual(await upstash.redis.eval("return {{ok='OK'}, 'x'}", [], []), [8, "x"]);
    } finally {
      await upstash.stop();
    }
  });

  it("send a pipeline's commands together", async () => {
    const upstash = await startUpstashRedis({ proxy: { interleavePipelines: false } });
    try {
      const pipeline = upstash.redis.pipeline().set("a", 1).incr("a");
      assert.deepEqual(
        await pipeline.eval("return redis.call('INCR', KEYS[1])", ["a"], []).get("a").exec(),
        ["OK", 2, 3, 3],
      );
    } finally {
      await upstash.stop();
    }
  });

  it("count a script as one where the server's own counts may not be read", async () => {
    const upstash = await startUpstashRedis({ proxy: { countScripts: false } });
    try {
      await upstash.redis.eval("redis.call('SET', 'a', 1) return redis.call('GET', 'a')", [], []);
      assert.deepEqual(upstash.proxy.billed.byCommand, { EVAL: 1 });
    } finally {
      await upstash.stop();
    }
  });
});
