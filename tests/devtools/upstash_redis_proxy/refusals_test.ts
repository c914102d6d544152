import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createRedisProxy } from "../../../devtools/upstash_redis_proxy/mod.ts";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();
const MAX_BYTES = 100_000;

describe("what the Redis proxy refuses", { skip: problem !== null && skipFor(problem) }, () => {
  let upstash: UpstashRedis;
  before(async () => {
    upstash = await startUpstashRedis({ proxy: { maxRequestBytes: MAX_BYTES } });
  });
  after(() => upstash.stop());
  beforeEach(() => upstash.redis.flushall());

  async function ask(
    path: string,
    init: RequestInit = {},
    token: string | null = upstash.token,
  ): Promise<{ status: number; error: unknown }> {
    const headers = new Headers(init.headers);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    const method = init.method ?? (init.body === undefined ? "GET" : "POST");
    const response = await fetch(upstash.url + path, { ...init, method, headers });
    const text = await response.text();
    return { status: response.status, error: text === "" ? undefined : JSON.parse(text).error };
  }

  it("is a request without the right token", async () => {
    const refused = { status: 401, error: "WRONGPASS invalid or missing auth token" };
    const body = '["SET","k","v"]';
    assert.deepEqual(await ask("/", { body }, null), refused);
    assert.deepEqual(await ask("/", { body }, "wrong"), refused);
    assert.deepEqual(await ask("/", { body }, `${upstash.token}x`), refused);
    assert.deepEqual(await ask("/set/k/v?_token=wrong", {}, null), refused);
    assert.deepEqual(await ask("/set/k/v?_token=", {}, null), refused);
    assert.deepEqual(
      await ask("/", { body, headers: { authorization: upstash.token } }, null),
      refused,
    );
    assert.equal(await upstash.redis.exists("k"), 0);
    await assert.rejects(
      upstash.connect({ token: "wrong" }).get("k"),
      /WRONGPASS invalid or missing auth token/,
    );
  });

  it("is what a browser asks for a page of another site, whatever token it shows", async () => {
    const { origin } = new URL(upstash.url);
    const refused: Record<string, string>[] = [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "https://evil.example" },
      { origin: "null" },
      { referer: "https://evil.example/page" },
    ];
    for (const headers of refused) {
      for (const path of ["/set/k/v", "/flushall", "/subscribe/c"]) {
        const at = `${path}?_token=${upstash.token}`;
        const { status } = await ask(at, { headers }, null);
        assert.equal(status, 403, JSON.stringify(headers));
      }
    }
    assert.equal(await upstash.redis.exists("k"), 0);
    for (
      const headers of [{ "sec-fetch-site": "none" }, { origin }, { "sec-fetch-mode": "cors" }]
    ) {
      const { status } = await ask(`/get/k?_token=${upstash.token}`, { headers }, null);
      assert.equal(status, 200, JSON.stringify(headers));
    }
  });

  it("is a write with the token that may only read", async () => {
    const reader = upstash.connect({ token: upstash.readOnlyToken });
    await upstash.redis.set("k", "v");
    await upstash.redis.xadd("s", "*", { a: 1 });
    assert.equal(await reader.get("k"), "v");
    assert.equal(await reader.exists("k"), 1);
    assert.deepEqual(await reader.xinfo("s", { type: "GROUPS" }), []);
    assert.equal(await reader.evalRo("return redis.call('GET', KEYS[1])", ["k"], []), "v");
    assert.equal(await reader.ping(), "PONG");
    const writes: [string, () => Promise<unknown>][] = [
      ["set", () => reader.set("k", "w")],
      ["del", () => reader.del("k")],
      ["evalsha", () => reader.evalsha("f".repeat(40), [], [])],
      ["eval", () => reader.eval("return 1", [], [])],
      ["xgroup", () => reader.xgroup("s", { type: "CREATE", group: "g", id: "0" })],
      ["publish", () => reader.publish("c", "m")],
      ["script", () => reader.scriptLoad("return 1")],
      ["scan", () => reader.scan(0)],
      ["keys", () => reader.keys("*")],
      ["flushall", () => reader.flushall()],
      ["config", () => reader.exec(["config", "set", "notify-keyspace-events", "KEA"])],
    ];
    for (const [name, write] of writes) {
      await assert.rejects(
        write(),
        new RegExp(`NOPERM this user has no permissions to run the '${name}' command`),
        name,
      );
    }
    await assert.rejects(reader.multi().get("k").set("k", "w").exec(), /EXECABORT/);
    assert.deepEqual(await reader.pipeline().get("k").set("k", "w").exec({ keepErrors: true }), [
      { result: "v", error: undefined },
      {
        result: undefined,
        error: "NOPERM this user has no permissions to run the 'set' command or its subcommand",
      },
    ]);
    assert.equal(await upstash.redis.get("k"), "v");
  });

  it("is another method", async () => {
    for (const method of ["DELETE", "PATCH", "OPTIONS"]) {
      assert.equal((await ask("/get/k", { method })).status, 405, method);
    }
  });

  it("is a body that is no command", async () => {
    const bodies: [string, string, RegExp][] = [
      ["/", "", /ERR empty command/],
      ["/", "[]", /ERR empty command/],
      ["/", '[""]', /ERR empty command/],
      ["/", "[", /ERR failed to parse command/],
      ["/", '"GET"', /ERR failed to parse command/],
      ["/", '{"GET":"k"}', /ERR failed to parse command/],
      ["/", '["SET","k",{"a":1}]', /ERR failed to parse command/],
      ["/", '["SET",["k"],"v"]', /ERR failed to parse command/],
      ["/pipeline", "", /ERR empty command/],
      ["/pipeline", "[[", /ERR failed to parse pipeline request/],
      ["/pipeline", '["SET","k","v"]', /ERR failed to parse command/],
      ["/pipeline", '{"a":[]}', /ERR failed to parse pipeline request/],
      ["/multi-exec", "nothing", /ERR failed to parse multi-exec request/],
      ["/multi-exec", '[["SET","k","v"],[]]', /ERR empty command/],
    ];
    for (const [path, body, error] of bodies) {
      const answer = await ask(path, { method: "POST", body });
      assert.equal(answer.status, 400, `${path} ${body}`);
      assert.match(String(answer.error), error, `${path} ${body}`);
    }
    const notUtf8 = Uint8Array.from([0x5b, 0x22, 0xff, 0x22, 0x5d]);
    assert.equal((await ask("/", { body: notUtf8 })).error, "ERR failed to parse command");
    assert.equal((await ask("/")).error, "ERR empty command");
    assert.equal(await upstash.redis.dbsize(), 0);
  });

  it("is a body over the limit, announced or not, and the connection goes on", async () => {
    const fits = "x".repeat(MAX_BYTES);
    const error = "ERR max request size exceeded";
    assert.equal((await ask("/set/k", { body: fits })).status, 200);
    assert.deepEqual(await ask("/set/k", { body: `${fits}x` }), { status: 400, error });
    const unannounced = new Blob([fits, "x"]).stream();
    assert.deepEqual(await ask("/set/k", { body: unannounced }), { status: 400, error });
    assert.equal(await upstash.redis.strlen("k"), MAX_BYTES);
    await assert.rejects(
      upstash.redis.pipeline().set("k", fits).set("l", fits).exec(),
      /max request size exceeded/,
    );
  });

  it("is a key over the limit", async () => {
    const longest = "é".repeat(16 * 1024);
    assert.equal(await upstash.redis.set(longest, 1), "OK");
    await assert.rejects(
      upstash.redis.set(`${longest}x`, 1),
      /ERR max key size exceeded. Limit: 32768 bytes, Actual: 32769 bytes/,
    );
    await assert.rejects(
      upstash.redis.eval("return 1", ["k", `${longest}x`], []),
      /max key size exceeded/,
    );
    assert.equal(await upstash.redis.set("k", `${longest}x`), "OK", "a value may be longer");
  });

  it("is what needs a connection, or would block one", async () => {
    const commands = [
      ..."BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP".split(" "),
      ..."MULTI EXEC WATCH UNWATCH DISCARD AUTH HELLO RESET QUIT CLIENT SELECT".split(" "),
      ..."SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE MONITOR".split(" "),
    ];
    for (const name of commands) {
      assert.deepEqual(await ask(`/${name.toLowerCase()}/a/0`), {
        status: 400,
        error: `ERR Command "${name}" is not allowed in REST or it has a special context path`,
      });
    }
    for (
      const command of [
        ["XREAD", "BLOCK", 0, "STREAMS", "s", "$"],
        ["xread", "count", 1, "block", 5, "streams", "s", "0"],
        ["XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"],
      ]
    ) {
      const { error } = await ask("/", { body: JSON.stringify(command) });
      assert.match(String(error), /is not allowed in REST/);
    }
  });

  it("is not a stream, a group or a consumer that is named BLOCK", async () => {
    const { redis } = upstash;
    await redis.xadd("BLOCK", "*", { a: 1 });
    await redis.xgroup("BLOCK", { type: "CREATE", group: "BLOCK", id: "0" });
    assert.equal((await redis.xreadgroup("BLOCK", "BLOCK", "BLOCK", ">") as unknown[]).length, 1);
    assert.equal((await redis.xread("BLOCK", "0") as unknown[]).length, 1);
  });

  it("is what Upstash does not have", async () => {
    const absent = [
      ["SORT", "l"],
      ["OBJECT", "ENCODING", "k"],
      ["MOVE", "k", 1],
      ["LCS", "a", "b"],
      ["DEBUG", "SLEEP", 0],
      ["SHUTDOWN"],
      ["SAVE"],
      ["SLOWLOG", "GET"],
      ["CLUSTER", "INFO"],
      ["REPLICAOF", "NO", "ONE"],
      ["NOSUCHCOMMAND"],
      ["MEMORY", "DOCTOR"],
      ["CONFIG", "SET", "maxmemory", 1],
      ["CONFIG", "GET", "*"],
      ["FUNCTION", "DUMP"],
      ["SCRIPT", "DEBUG", "YES"],
    ];
    for (const command of absent) {
      const { status, error } = await ask("/", { body: JSON.stringify(command) });
      assert.equal(status, 400);
      assert.match(
        String(error),
        /^ERR Command is not available: '[A-Z ]+'. See https:\/\/upstash/,
      );
    }
    assert.equal((await ask("/memory/usage/k")).status, 200);
    assert.equal((await ask("/config/get/notify-keyspace-events")).status, 200);
  });

  it("is a script that calls what Upstash does not have", async () => {
    await assert.rejects(
      upstash.redis.eval("return redis.call('SORT', 'l')", [], []),
      /ERR Command is not available: 'SORT'/,
    );
  });

  it("is not a script that calls what only REST does not have", async () => {
    const script = "redis.call('SELECT', 0) return redis.call('INCR', KEYS[1])";
    assert.equal(await upstash.redis.eval(script, ["n"], []), 1);
  });

  it("is what Redis refuses, in its words", async () => {
    await upstash.redis.set("k", "text");
    const errors: [string, string][] = [
      ["/incr/k", "ERR value is not an integer or out of range"],
      ["/lpush/k/a", "WRONGTYPE Operation against a key holding the wrong kind of value"],
      ["/get", "ERR wrong number of arguments for 'get' command"],
      ["/eval", "ERR wrong number of arguments for 'eval' command"],
      ["/eval/return/x", "ERR value is not an integer or out of range"],
    ];
    for (const [path, error] of errors) {
      assert.deepEqual(await ask(path), { status: 400, error }, path);
    }
  });

  it("is a read that could bring a consumer over its limit of pending entries", async () => {
    const { redis } = upstash;
    for (let part = 0; part < 6; part++) {
      const batch = redis.pipeline();
      for (let at = 0; at < 200; at++) batch.xadd("s", "*", { a: at });
      await batch.exec();
    }
    await redis.xgroup("s", { type: "CREATE", group: "g", id: "0" });
    const read = (consumer: string, count?: number) =>
      redis.xreadgroup("g", consumer, "s", ">", count === undefined ? {} : { count });
    await read("one", 990);
    await assert.rejects(
      read("one", 11),
      new RegExp(
        "ERR XReadGroup is cancelled. Pending Entries List limit per consumer is about to be " +
          "reached. Limit: 1000, Current PEL size: 990, Requested Read: 11, Key: s, Group: g, Consumer: one",
      ),
    );
    await assert.rejects(read("two"), /Requested Read: 1200/);
    await read("one", 10);
    await assert.rejects(read("one", 1), /Current PEL size: 1000/);
    assert.ok(await read("two", 200), "another consumer has a limit of its own");
    const own = await redis.xreadgroup("g", "one", "s", "0", { count: 2000 }) as [
      string,
      unknown[],
    ][];
    assert.equal(own[0]![1].length, 1000, "what it holds can be read again");
    assert.equal(await redis.xreadgroup("g", "one", "s", ">", { count: 5000, NOACK: true }), null);
  });
});

describe("options that a Redis proxy cannot have", () => {
  const good = { redisUrl: "redis://127.0.0.1:6379", token: "a-token" };
  const wrong: [string, Record<string, unknown>][] = [
    ["redisUrl", { redisUrl: "http://127.0.0.1" }],
    ["token", { token: "" }],
    ["token", { token: "two words" }],
    ["readOnlyToken", { readOnlyToken: "ü" }],
    ["readOnlyToken", { readOnlyToken: "a-token" }],
    ["maxRequestBytes", { maxRequestBytes: 0 }],
    ["maxKeyBytes", { maxKeyBytes: 1.5 }],
    ["pendingLimit", { pendingLimit: -1 }],
    ["waitMs", { waitMs: NaN }],
  ];
  for (const [name, option] of wrong) {
    it(`are ${JSON.stringify(option)}`, () => {
      assert.throws(() => createRedisProxy({ ...good, ...option } as typeof good), {
        code: "invalid_option",
        message: new RegExp(`^Cannot (use|make a proxy with) ${name}`),
      });
    });
  }
});
