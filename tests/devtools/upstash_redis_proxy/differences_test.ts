import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Redis } from "@upstash/redis";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();

/**
 * What docs/stores/upstash-redis.md lists: how a Redis server behind the proxy differs from Upstash. What
 * Upstash does is from its documentation and from the tests of its clients.
 */
describe("a Redis server behind the proxy is not Upstash", {
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

  const run = (...command: [string, ...(string | number)[]]) => redis.exec<unknown>(command);
  const post = async (path: string, body: unknown, token = upstash.token) => {
    const response = await fetch(upstash.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };
  /** Whether the server of this machine knows a command. */
  const knows = async (name: string) =>
    (await run("COMMAND", "INFO", name) as unknown[])[0] !== null;

  describe("what the server lacks is said to be lacking there", () => {
    const newer: [string, ...(string | number)[]][] = [
      ["HEXPIRE", "h", 10, "FIELDS", 1, "f"],
      ["HPEXPIREAT", "h", 10, "FIELDS", 1, "f"],
      ["HTTL", "h", "FIELDS", 1, "f"],
      ["HPERSIST", "h", "FIELDS", 1, "f"],
      ["HGETDEL", "h", "FIELDS", 1, "f"],
      ["HGETEX", "h", "FIELDS", 1, "f"],
      ["HSETEX", "h", "FIELDS", 1, "f", "v"],
      ["XACKDEL", "s", "g", "IDS", 1, "0-1"],
      ["XDELEX", "s", "IDS", 1, "0-1"],
      ["DELEX", "k"],
      ["DIGEST", "k"],
      ["WAITAOF", 0, 0, 0],
      ["JSON.SET", "j", "$", "1"],
      ["SEARCH.CREATE", "i"],
    ];
    for (const command of newer) {
      const [name] = command;
      const lacking =
        `ERR The Redis server behind this proxy has no command '${name}', which Upstash has`;
      it(name, async () => {
        if (await knows(name)) return; // a newer server than 7.0
        assert.deepEqual(await post("/", command), [400, { error: lacking }]);
        const many = [["SET", "p", 1], command];
        assert.deepEqual(await post("/pipeline", many), [200, [{ result: "OK" }, {
          error: lacking,
        }]]);
        const transaction = [["SET", "k", 1], command];
        assert.deepEqual(await post("/multi-exec", transaction), [400, { error: lacking }]);
        assert.equal(await redis.exists("k"), 0, "the transaction did not run");
        const asReader = await post("/", command, upstash.readOnlyToken);
        assert.deepEqual(asReader, [400, { error: lacking }], "the token is not the cause");
      });
    }

    it("in a script", async () => {
      if (await knows("HTTL")) return;
      await assert.rejects(
        redis.eval("return redis.call('HTTL', KEYS[1], 'FIELDS', 1, 'f')", ["h"], []),
        /Unknown Redis command called from script.*The Redis server behind this proxy does not have it; Upstash may/,
      );
    });

    it("an option", async () => {
      await redis.hset("h", { f: "v" });
      await redis.xadd("s", "*", { a: 1 });
      const commands: [string, [string, ...(string | number)[]]][] = [
        ["DIFF", ["BITOP", "DIFF", "d", "a", "b"]],
        ["ONE", ["bitop", "one", "d", "a", "b"]],
        ["WITHTYPE", ["SCAN", 0, "WITHTYPE"]],
        ["NOVALUES", ["HSCAN", "h", 0, "NOVALUES"]],
        ["IFEQ", ["SET", "k", "v", "IFEQ", "w"]],
        ["KEEPREF", ["XADD", "s", "KEEPREF", "*", "a", 1]],
        ["DELREF", ["XTRIM", "s", "MAXLEN", 0, "DELREF"]],
      ];
      for (const [option, command] of commands) {
        const error = await run(...command).then(() => "none", (error: Error) => error.message);
        // A newer server may have it.
        if (error === "none") continue;
        const name = command[0].toUpperCase();
        assert.match(
          error,
          new RegExp(
            `ERR The Redis server behind this proxy does not know '${option}' of ${name}, which Upstash does`,
          ),
        );
      }
      await assert.rejects(run("SET", "IFEQ", "v", "NX", "XX"), /ERR syntax error/);
    });

    it("a subcommand", async () => {
      await assert.rejects(
        run("ACL", "RESTTOKEN", "default", "password"),
        /The Redis server behind this proxy has no command 'ACL RESTTOKEN', which Upstash has/,
      );
    });
  });

  it("what only a Redis server has is refused as by Upstash", async () => {
    const names = ["FT.SEARCH", "BF.ADD", "TS.ADD", "VADD", "LPOPALL", "ACL DRYRUN", "XINFO HELP"];
    for (const name of names) {
      await assert.rejects(
        run(...name.split(" ") as [string], "k", "v"),
        new RegExp(`ERR Command is not available: '${name}'. See https://upstash`),
      );
    }
  });

  it("SCAN … WITHTYPE is an error, and not the keys with their types", async () => {
    await assert.rejects(redis.scan(0, { withType: true }), /does not know 'WITHTYPE' of SCAN/);
  });

  it("SCAN looks at few keys in a call, also with MATCH", async () => {
    const batch = redis.pipeline();
    for (let at = 0; at < 200; at++) batch.set(`other:${at}`, 1);
    await batch.exec();
    const [cursor, keys] = await redis.scan(0, { match: "nothing:*" });
    assert.deepEqual([cursor === "0", keys], [false, []]);
  });

  it("there is no stream of commands at /monitor", async () => {
    const [status, { error }] = await post("/monitor", "") as [number, { error: string }];
    assert.equal(status, 400);
    assert.match(error, /"MONITOR" is not allowed in REST/);
  });

  it("COPY of a key to itself is an error, and not 0", async () => {
    await redis.set("k", "v");
    await assert.rejects(run("COPY", "k", "k"), /ERR source and destination objects are the same/);
  });

  it("XREADGROUP with NOACK makes a consumer", async () => {
    await redis.xadd("s", "*", { a: 1 });
    await redis.xgroup("s", { type: "CREATE", group: "g", id: "0" });
    await redis.xreadgroup("g", "c", "s", ">", { NOACK: true });
    const consumers = await redis.xinfo("s", { type: "CONSUMERS", group: "g" }) as unknown[][];
    assert.deepEqual(consumers.map(([, name, , pending]) => [name, pending]), [["c", 0]]);
  });

  it("XTRIM ~ removes whole nodes of 100 entries, and leaves a shorter stream as it is", async () => {
    for (let at = 0; at < 50; at++) await redis.xadd("s", "*", { at });
    assert.equal(
      await redis.xtrim("s", { strategy: "MAXLEN", exactness: "~", threshold: 30 }),
      0,
    );
    await redis.xadd("s", "*", { at: 50 }, {
      trim: { type: "MAXLEN", comparison: "~", threshold: 30 },
    });
    assert.equal(await redis.xlen("s"), 51);
  });

  it("FCALL_RO needs a function that says no-writes, also if it only reads", async () => {
    await redis.functions.load({
      code: "#!lua name=lib\nredis.register_function('plain_get', function(keys) " +
        "return redis.call('GET', keys[1]) end)",
    });
    await redis.set("k", "v");
    assert.equal(await redis.functions.call("plain_get", ["k"], []), "v");
    await assert.rejects(
      redis.functions.callRo("plain_get", ["k"], []),
      /ERR Can not execute a script with write flag using \*_ro command/,
    );
  });

  it("ZRANGESTORE … LIMIT needs BYSCORE or BYLEX", async () => {
    await redis.zadd("z", { score: 1, member: "a" }, { score: 2, member: "b" });
    await assert.rejects(
      run("ZRANGESTORE", "d", "z", 0, 2, "LIMIT", 1, 1),
      /LIMIT is only supported in combination with either BYSCORE or BYLEX/,
    );
    assert.equal(await run("ZRANGESTORE", "d", "z", 0, 2, "BYSCORE", "LIMIT", 1, 1), 1);
  });

  it("XINFO CONSUMERS of an absent group is an error, and not an empty list", async () => {
    await redis.xadd("s", "*", { a: 1 });
    await assert.rejects(
      redis.xinfo("s", { type: "CONSUMERS", group: "g" }),
      /NOGROUP No such consumer group 'g' for key name 's'/,
    );
  });

  it("a script that fails keeps what it wrote", async () => {
    await assert.rejects(
      redis.eval("redis.call('SET', KEYS[1], 1) return redis.call('LPUSH', KEYS[1], 1)", ["k"], []),
      /WRONGTYPE/,
    );
    assert.equal(await redis.get("k"), 1);
  });

  it("a script may use keys that it did not declare", async () => {
    const script = "#!lua flags=allow-key-locking\nreturn redis.call('SET', 'undeclared', 1)";
    assert.equal(await redis.eval(script, [], []), "OK");
  });
});
