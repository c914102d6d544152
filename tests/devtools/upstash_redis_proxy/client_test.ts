import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Redis } from "@upstash/redis";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();

describe("the official client on the Redis proxy", {
  skip: problem !== null && skipFor(problem),
}, () => {
  let upstash: UpstashRedis;
  let redis: Redis;
  before(async () => {
    upstash = await startUpstashRedis();
    redis = upstash.redis;
  });
  after(() => upstash.stop());
  beforeEach(() => redis.flushall());

  it("keeps strings, numbers and objects", async () => {
    assert.equal(await redis.set("s", "text"), "OK");
    assert.equal(await redis.get("s"), "text");
    assert.equal(await redis.set("o", { a: [1, null] }, { ex: 60, nx: true }), "OK");
    assert.equal(await redis.set("o", {}, { nx: true }), null);
    assert.deepEqual(await redis.get("o"), { a: [1, null] });
    assert.equal(await redis.incrby("n", 5), 5);
    assert.equal(await redis.incrbyfloat("n", 0.5), 5.5);
    assert.deepEqual(await redis.mget("s", "nothing"), ["text", null]);
    assert.equal(await redis.append("s", "!"), 5);
    assert.equal(await redis.getrange("s", 1, 2), "ex");
    assert.ok(await redis.ttl("o") > 0);
    assert.equal(await redis.del("s", "o", "nothing"), 2);
    assert.equal(await redis.type("n"), "string");
  });

  it("keeps hashes", async () => {
    assert.equal(await redis.hset("h", { a: 1, b: "x", "": "empty" }), 3);
    assert.deepEqual(await redis.hgetall("h"), { a: 1, b: "x", "": "empty" });
    assert.equal(await redis.hincrby("h", "a", 2), 3);
    assert.deepEqual(await redis.hmget("h", "a", "c"), { a: 3, c: null });
    assert.deepEqual(await redis.hkeys("h"), ["a", "b", ""]);
    assert.equal(await redis.hexists("h", "b"), 1);
    assert.equal(await redis.hdel("h", "b"), 1);
    assert.deepEqual(await redis.hscan("h", 0), ["0", ["a", 3, "", "empty"]]);
    assert.equal(await redis.hgetall("nothing"), null);
  });

  it("keeps lists and sets", async () => {
    assert.equal(await redis.rpush<unknown>("l", "a", "OK", { c: 1 }), 3);
    assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "OK", { c: 1 }]);
    assert.equal(await redis.lpop("l"), "a");
    assert.equal(await redis.lmove("l", "m", "left", "right"), "OK");
    assert.equal(await redis.sadd("s", "a", "b"), 2);
    assert.deepEqual((await redis.smembers("s")).sort(), ["a", "b"]);
    assert.deepEqual(await redis.smismember("s", ["a", "c"]), [1, 0]);
    assert.equal(await redis.scard("s"), 2);
  });

  it("keeps sorted sets", async () => {
    assert.equal(await redis.zadd("z", { score: 1, member: "a" }, { score: 2.5, member: "b" }), 2);
    assert.deepEqual(await redis.zrange("z", 0, -1, { withScores: true }), ["a", 1, "b", 2.5]);
    assert.deepEqual(
      await redis.zrange("z", "-inf", "(2.5", { byScore: true, offset: 0, count: 9 }),
      ["a"],
    );
    assert.equal(await redis.zscore("z", "b"), 2.5);
    assert.equal(await redis.zscore("z", "nothing"), null);
    assert.equal(
      await redis.zadd("z", { gt: true }, { score: 9_007_199_254_740_991, member: "a" }),
      0,
    );
    assert.equal(await redis.zscore("z", "a"), 9_007_199_254_740_991);
    assert.deepEqual(await redis.zpopmin("z"), ["b", 2.5]);
    assert.equal(await redis.zremrangebyscore("z", "-inf", "+inf"), 1);
    assert.equal(await redis.zcard("z"), 0);
  });

  it("goes through keys", async () => {
    await redis.mset({ a: 1, b: 2 });
    assert.deepEqual((await redis.keys("*")).sort(), ["a", "b"]);
    const [cursor, keys] = await redis.scan(0, { match: "a*", count: 100 });
    assert.deepEqual([cursor, keys], ["0", ["a"]]);
    assert.equal(await redis.exists("a", "b", "c"), 2);
    assert.equal(await redis.rename("a", "c"), "OK");
    assert.equal(await redis.dbsize(), 2);
    assert.equal(await redis.unlink("b"), 1);
    assert.equal((await redis.time()).length, 2);
  });

  it("reads streams in groups, takes over and acknowledges", async () => {
    const first = await redis.xadd("st", "*", { kind: "a", body: { n: 1 } });
    const second = await redis.xadd("st", "*", { kind: "b", body: "007" });
    assert.equal(await redis.xgroup("st", { type: "CREATE", group: "g", id: "0" }), "OK");
    await assert.rejects(
      redis.xgroup("st", { type: "CREATE", group: "g", id: "0" }),
      /BUSYGROUP Consumer Group name already exists/,
    );
    assert.deepEqual(await redis.xreadgroup("g", "one", "st", ">", { count: 10 }), [
      ["st", [
        [first, ["kind", "a", "body", { n: 1 }]],
        [second, ["kind", "b", "body", "007"]],
      ]],
    ]);
    assert.equal(await redis.xreadgroup("g", "one", "st", ">"), null);
    const pending = await redis.xpending("st", "g", "-", "+", 10) as unknown[][];
    assert.deepEqual(pending.map(([id, consumer]) => [id, consumer]), [
      [first, "one"],
      [second, "one"],
    ]);
    assert.deepEqual(
      await redis.xautoclaim("st", "g", "two", 0, "0-0", { count: 1 }),
      [second, [[first, ["kind", "a", "body", { n: 1 }]]], []],
    );
    assert.deepEqual(
      await redis.xclaim("st", "g", "two", 0, second, { justId: true }),
      [second],
    );
    assert.equal(await redis.xack("st", "g", [first, second]), 2);
    assert.deepEqual(await redis.xpending("st", "g", "-", "+", 10), []);
    assert.deepEqual(await redis.xrange("st", "-", "+"), {
      [first]: { kind: "a", body: { n: 1 } },
      [second]: { kind: "b", body: "007" },
    });
    assert.equal(await redis.xlen("st"), 2);
    assert.equal(
      await redis.xtrim("st", { strategy: "MINID", exactness: "=", threshold: second }),
      1,
    );
    const [group] = await redis.xinfo("st", { type: "GROUPS" }) as unknown[][];
    assert.deepEqual(group!.slice(0, 4), ["name", "g", "consumers", 2]);
    assert.equal(await redis.xdel("st", second), 1);
  });

  it("runs scripts, and finds one by its hash or sends it again", async () => {
    assert.equal(await redis.eval("return #KEYS + #ARGV", ["k"], ["a", "b"]), 3);
    assert.equal(await redis.eval("return redis.status_reply('PONG')", [], []), "PONG");
    assert.equal(await redis.eval("return redis.status_reply('OK')", [], []), "OK");
    assert.equal(await redis.eval("return nil", [], []), null);
    assert.deepEqual(
      await redis.eval("return {1, 'x', {ok='OK'}, {'deep', 'OK', {'d'}}, false}", [], []),
      [1, "x", "OK", ["deep", "OK", ["d"]], null],
    );
    await assert.rejects(redis.eval("return redis.error_reply('MINE no')", [], []), /MINE no/);
    await assert.rejects(redis.eval("error('broken')", [], []), /broken/);
    const hash = await redis.scriptLoad("return ARGV[1]");
    assert.deepEqual(await redis.scriptExists(hash, "f".repeat(40)), [1, 0]);
    assert.equal(await redis.evalsha(hash, [], ["by hash"]), "by hash");
    assert.equal(await redis.evalRo("return ARGV[1]", [], ["read"]), "read");
    await redis.scriptFlush();
    await assert.rejects(
      redis.evalsha(hash, [], ["gone"]),
      /NOSCRIPT No matching script. Please use EVAL./,
    );
    const script = redis.createScript<string>("return ARGV[1]");
    assert.equal(await script.exec([], ["sent again"]), "sent again");
    assert.equal(await script.exec([], ["by hash"]), "by hash");
  });

  it("takes the flag that only Upstash knows, under the hash of what was sent", async () => {
    const text = "#!lua flags=allow-key-locking,no-writes\nreturn redis.call('GET', KEYS[1])";
    await redis.set("k", "v");
    assert.equal(await redis.eval(text, ["k"], []), "v");
    const script = redis.createScript<string>(text);
    const hash = await redis.scriptLoad(text);
    assert.equal(hash, script.sha1);
    assert.equal(await redis.evalsha(hash, ["k"], []), "v");
    assert.deepEqual(await redis.scriptExists(hash), [1]);
    const alone = "#!lua flags=allow-key-locking\nreturn redis.call('SET', KEYS[1], ARGV[1])";
    assert.equal(await redis.eval(alone, ["k"], ["w"]), "OK");
    assert.equal(
      await redis.functions.load({
        code: `#!lua name=mine
          redis.register_function{function_name='f', callback=function(keys) return keys[1] end,
            flags={'allow-key-locking', 'no-writes'}}`,
      }),
      "mine",
    );
    assert.equal(await redis.functions.call("f", ["key"]), "key");
  });

  it("sends pipelines, whose commands fail by themselves", async () => {
    assert.deepEqual(
      await redis.pipeline().set("p", 1).incr("p").get("p").rpush("l", "y", "x").lrange("l", 0, -1)
        .exec(),
      ["OK", 2, 2, 2, ["y", "x"]],
    );
    const failing = () => redis.pipeline().set("p", "text").incr("p").get("p");
    await assert.rejects(
      failing().exec(),
      /Command 2 \[ incr \] failed: ERR value is not an integer or out of range/,
    );
    assert.deepEqual(await failing().exec({ keepErrors: true }), [
      { result: "OK", error: undefined },
      { result: undefined, error: "ERR value is not an integer or out of range" },
      { result: "text", error: undefined },
    ]);
  });

  it("sends transactions, which a wrong command discards and a failing one does not", async () => {
    assert.deepEqual(await redis.multi().set("m", 1).incr("m").get("m").exec(), ["OK", 2, 2]);
    const failing = redis.multi().set("m", "text").incr("m").get("m");
    assert.deepEqual(await failing.exec({ keepErrors: true }), [
      { result: "OK", error: undefined },
      { result: undefined, error: "ERR value is not an integer or out of range" },
      { result: "text", error: undefined },
    ]);
    const discarded = redis.multi();
    discarded.set("m", "discarded");
    await assert.rejects(
      discarded.getrange("m", 0, undefined as never).lpush("l").exec(),
      /EXECABORT Transaction discarded because of previous errors./,
    );
    assert.equal(await redis.get("m"), "text");
  });

  it("joins the calls of one turn, reads and writes apart", async () => {
    const requests: string[] = [];
    upstash.intercept = async (request, forward) => {
      requests.push(await request.clone().text());
      return forward(request);
    };
    try {
      await redis.mset({ a: 1, b: 2 });
      requests.length = 0;
      assert.deepEqual(
        await Promise.all([redis.get("a"), redis.get("b"), redis.set("c", 3), redis.incr("d")]),
        [1, 2, "OK", 1],
      );
      assert.deepEqual(requests.sort(), [
        '[["get","a"],["get","b"]]',
        '[["set","c",3],["incr","d"]]',
      ]);
    } finally {
      upstash.intercept = null;
    }
  });

  it("keeps text of every kind, unless the client itself takes it for JSON", async () => {
    const raw = upstash.connect({ automaticDeserialization: false });
    const texts = [
      ...["", "OK", "007", "12", "true", "null", '{"a":1}', "[1]", "héllo 🎉", "\u0000\r\n", " "],
      ...["101600000000150081467", "\u2028", '"', "\\", "%41", "a/b?c=d&e"],
    ];
    for (const text of texts) {
      await raw.set("t", text);
      assert.equal(await raw.get("t"), text, JSON.stringify(text));
      assert.deepEqual(
        await raw.eval("return {ARGV[1]}", [], [text]),
        [text],
        JSON.stringify(text),
      );
      await raw.del("h");
      await raw.hset("h", { [text]: text });
      assert.deepEqual(await raw.hgetall("h"), [text, text] as never, JSON.stringify(text));
    }
  });

  it("keeps bytes that are no text", async () => {
    // Lua makes the bytes, as JSON has none.
    await redis.eval("return redis.call('SET', KEYS[1], string.char(0, 255, 128, 10))", ["b"], []);
    const response = await fetch(`${upstash.url}/get/b`, {
      headers: { authorization: `Bearer ${upstash.token}`, "upstash-encoding": "base64" },
    });
    assert.deepEqual(await response.json(), { result: "AP+ACg==" });
  });

  it("carries payloads of megabytes", async () => {
    const raw = upstash.connect({ automaticDeserialization: false });
    const large = "é".repeat(2_000_000);
    assert.equal(await raw.set("large", large), "OK");
    assert.equal(await raw.strlen("large"), 4_000_000);
    assert.equal(await raw.get("large"), large);
    const many = Array.from({ length: 1000 }, (_, at) => `member ${at}`);
    assert.equal(await raw.rpush("many", ...many), 1000);
    assert.deepEqual(await raw.lrange("many", 0, -1), many);
  });

  it("sends back the token of the last answer, which changes with each", async () => {
    const tokens: (string | null)[] = [];
    upstash.intercept = (request, forward) => {
      tokens.push(request.headers.get("upstash-sync-token"));
      return forward(request);
    };
    try {
      const own = upstash.connect();
      for (let turn = 0; turn < 3; turn++) await own.incr("n");
      assert.equal(tokens[0], "");
      assert.ok(tokens[1] !== null && tokens[1] !== "");
      assert.notEqual(tokens[1], tokens[2]);
    } finally {
      upstash.intercept = null;
    }
  });

  it("works without base64, without sync token and without auto-pipelining", async () => {
    const plain = upstash.connect({
      responseEncoding: false,
      readYourWrites: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
    });
    assert.equal(await plain.set("k", "héllo"), "OK");
    assert.equal(await plain.get("k"), "héllo");
    assert.deepEqual(await plain.eval("return {1, 'x', {ok='OK'}}", [], []), [1, "x", "OK"]);
  });

  it("hears what is published, until it stops listening", async () => {
    const heard = Promise.withResolvers<unknown>();
    const subscribed = Promise.withResolvers<unknown>();
    const subscriber = redis.subscribe<{ hi: number }>("chat");
    subscriber.on("subscribe", subscribed.resolve);
    subscriber.on("message", heard.resolve);
    subscriber.on("error", heard.reject);
    await subscribed.promise;
    assert.equal(await redis.publish("chat", { hi: 1 }), 1);
    assert.deepEqual(await heard.promise, { channel: "chat", message: { hi: 1 } });
    await subscriber.unsubscribe();
  });

  it("hears a pattern", async () => {
    const heard = Promise.withResolvers<unknown>();
    const subscribed = Promise.withResolvers<unknown>();
    const subscriber = redis.psubscribe("order.*");
    subscriber.on("psubscribe", subscribed.resolve);
    subscriber.on("pmessage", heard.resolve);
    subscriber.on("error", heard.reject);
    await subscribed.promise;
    await redis.publish("order.placed", { n: 1 });
    assert.deepEqual(await heard.promise, {
      pattern: "order.*",
      channel: "order.placed",
      message: { n: 1 },
    });
    await subscriber.unsubscribe();
  });

  it("sends a command again when the answer was lost, as it does at Upstash", async () => {
    let lost = 0;
    upstash.intercept = async (request, forward) => {
      const response = await forward(request);
      if (lost++ === 0) throw new Error("the answer is lost");
      return response;
    };
    try {
      assert.equal(await upstash.connect({ retry: { retries: 1, backoff: () => 0 } }).incr("n"), 2);
    } finally {
      upstash.intercept = null;
    }
  });
});
