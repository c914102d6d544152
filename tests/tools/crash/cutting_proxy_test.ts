import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import postgres from "postgres";
import { guardPostgres } from "../../../adapters/postgres/mod.ts";
import { CuttingProxy } from "../../../tools/crash/cutting_proxy.ts";
import { type Moment, MOMENTS } from "../../../tools/crash/plan.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null ? skipFor(NO_POSTGRES) : false;

const COMMIT = Buffer.from("Q\0\0\0\x0bcommit\0", "latin1");
const COMMITTED = Buffer.from("C\0\0\0\x0bCOMMIT\0", "latin1");

describe("the proxy of a crash run", () => {
  let target: Server;
  let proxy: CuttingProxy;
  let client: Socket;
  /** What the target and the client have received. */
  let atTarget: string;
  let atClient: string;
  /** The target's end of the connection has closed. */
  let closed: Promise<unknown>;

  beforeEach(async () => {
    atTarget = "";
    atClient = "";
    const accepted = Promise.withResolvers<Socket>();
    target = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        atTarget += chunk.toString("latin1");
        // Echoes, except for the commit.
        socket.write(chunk.equals(COMMIT) ? COMMITTED : chunk);
      });
      accepted.resolve(socket);
    }).listen(0, "127.0.0.1");
    await once(target, "listening");
    proxy = await CuttingProxy.start(() => [(target.address() as AddressInfo).port]);
    client = connect(proxy.port, "127.0.0.1");
    client.on("error", () => {});
    client.on("data", (chunk) => atClient += chunk.toString("latin1"));
    await once(client, "connect");
    closed = accepted.promise.then((socket) => once(socket, "close"));
    closed.catch(() => {});
  });

  afterEach(async () => {
    client.destroy();
    await proxy.stop();
    await closed.catch(() => {});
    target.close();
    await once(target, "close");
  });

  /** Sends and waits until the echo is back. */
  async function send(text: string): Promise<void> {
    const wanted = atClient.length + text.length;
    client.write(text);
    while (atClient.length < wanted) await once(client, "data");
  }

  const received: Readonly<Record<Moment, string>> = {
    "before the commit": "hello",
    "commit sent": `hello${COMMIT.toString("latin1")}`,
    "before the answer": `hello${COMMIT.toString("latin1")}`,
  };
  for (const moment of MOMENTS) {
    it(`acts and ends the connection at the moment "${moment}"`, async () => {
      let acts = 0;
      const giveUp = proxy.atNextCommit(moment, false, () => acts += 1);
      await send("hello");
      assert.equal(acts, 0);
      client.write(COMMIT);
      await Promise.all([once(client, "close"), closed]);
      assert.equal(acts, 1);
      assert.equal(giveUp(), false, "it was called");
      assert.equal(atTarget, received[moment]);
      // Behind a commit that was sent, the answer may come before the end.
      if (moment !== "commit sent") assert.equal(atClient, "hello", "no answer came");
      assert.equal(proxy.lastCommitAt > 0, moment !== "before the commit");
      assert.equal(proxy.cuts, 1);
    });
  }

  it("passes commits on after giving up", async () => {
    const giveUp = proxy.atNextCommit("before the commit", false, () => assert.fail("given up"));
    assert.equal(giveUp(), true);
    client.write(COMMIT);
    await once(client, "data");
    assert.equal(atClient, COMMITTED.toString("latin1"));
    assert.ok(proxy.lastCommitAt > 0);
  });

  it("passes no commit on behind a cut", async () => {
    await send("hello");
    proxy.atNextCommit("commit sent", false, () => {});
    proxy.cut(0, 3, false);
    client.write("world");
    client.write(COMMIT);
    await Promise.all([once(client, "close"), closed]);
    assert.equal(atTarget, "hellowor");
  });

  it("cuts a connection after some more bytes", async () => {
    await send("hello");
    proxy.cut(0, 3, false);
    client.write("world");
    await Promise.all([once(client, "close"), closed]);
    assert.equal(atTarget, "hellowor");
    assert.equal(proxy.cuts, 1);
  });
});

describe("the commits that the proxy of a crash run sees", { skip }, () => {
  it("are those of guarded clients", async () => {
    const port = Number(new URL(url as string).port || 5432);
    const proxy = await CuttingProxy.start(() => [port]);
    const through = new URL(url as string);
    through.hostname = "127.0.0.1";
    through.port = String(proxy.port);
    const sql = guardPostgres(postgres(through.href, { max: 1, fetch_types: false }));
    try {
      await sql`select 1`;
      assert.equal(proxy.lastCommitAt, -Infinity);
      await sql.begin((tx) => tx`select 1`);
      assert.ok(proxy.lastCommitAt > 0);
      let acts = 0;
      proxy.atNextCommit("before the answer", true, () => acts += 1);
      await assert.rejects(sql.begin((tx) => tx`select 1`), { code: "outcome_unknown" });
      assert.equal(acts, 1);
    } finally {
      await sql.end({ timeout: 1 });
      await proxy.stop();
    }
  });
});
