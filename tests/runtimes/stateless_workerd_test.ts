import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { boundUrl } from "../../adapters/qstash/dialect/binding.ts";
import { qstashToken } from "../support/qstash_token.ts";
import { ROOT } from "../support/repository.ts";
import { Program } from "../support/runtimes/program.ts";
import { serve, type TestServer } from "../support/serve.ts";

const URL_ = "https://mail.example/deliver";
const CURRENT = "sig_current_0123456789";
const NEXT = "sig_next_0123456789";

describe("the bundle of a stateless subscriber, on workerd", () => {
  const mails: string[] = [];
  let mailStatus = 200;
  let mail: TestServer;
  let worker: Program;
  let origin = "";
  before(async () => {
    mail = await serve(async (request) => {
      mails.push(await request.text());
      return new Response(null, { status: mailStatus });
    });
    worker = new Program({
      command: process.execPath,
      args: ["run", "-A", "--no-check", "tests/support/runtimes/subscriber_host.ts"],
      cwd: ROOT,
      env: {
        WORKER_VARIABLES: JSON.stringify({ CURRENT, NEXT, URL: URL_, MAIL_URL: mail.origin }),
      },
    });
    const [, port] = await worker.says(/^Listening on port (\d+)$/);
    origin = `http://127.0.0.1:${port}`;
  });
  after(async () => {
    await worker.stop();
    await mail.close();
  });

  const deliver = async (
    body: string,
    { retried = 0, key = CURRENT, url = URL_ }: { retried?: number; key?: string; url?: string } =
      {},
  ): Promise<Response> => {
    const headers = {
      "content-type": "application/json",
      "cap-msg-id": "m-1",
      "cap-msg-name": "order.placed",
    };
    const bound = await boundUrl(url, new Headers(headers));
    const response = await fetch(`${origin}/deliver${new URL(bound).search}`, {
      method: "POST",
      headers: {
        ...headers,
        "upstash-message-id": "msg_1",
        "upstash-retried": String(retried),
        "upstash-signature": await qstashToken(new TextEncoder().encode(body), bound, { key }),
      },
      body,
    });
    await response.text();
    return response;
  };

  it("handles what QStash signed, with either key", async () => {
    for (const key of [CURRENT, NEXT]) {
      assert.equal((await deliver(`{"orderId":7}`, { key })).status, 200);
    }
    assert.deepEqual(mails.splice(0), ["7", "7"]);
  });

  it("refuses what it did not, and never handles what does not fit", async () => {
    assert.equal((await deliver(`{"orderId":7}`, { key: "sig_other" })).status, 401);
    const url = "https://other.example/deliver";
    assert.equal((await deliver(`{"orderId":7}`, { url })).status, 401);
    const unfit = await deliver(`{"orderId":"7"}`);
    assert.deepEqual([unfit.status, unfit.headers.get("upstash-nonretryable-error")], [
      489,
      "true",
    ]);
    assert.deepEqual(mails, []);
  });

  it("asks for the next attempt by its retry policy", async () => {
    mailStatus = 500;
    const waits: (string | null)[] = [];
    for (const retried of [0, 2, 3, 49]) {
      const response = await deliver(`{"orderId":8}`, { retried });
      waits.push(response.headers.get("retry-after") ?? String(response.status));
    }
    assert.deepEqual(waits, ["0", "240", "60", "489"]);
    assert.equal(mails.splice(0).length, 4);
  });

  it("says that it is alive, and knows each request", async () => {
    const response = await fetch(`${origin}/health`, { headers: { "x-request-id": "r-1" } });
    assert.deepEqual(await response.json(), { status: "alive" });
    assert.equal(response.headers.get("x-request-id"), "r-1");
  });
});
