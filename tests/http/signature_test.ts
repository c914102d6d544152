import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { httpTransport, verifySignature } from "../../adapters/http/mod.ts";
import type { HttpFormat, Verify, VerifyResult } from "../../adapters/http/mod.ts";
import { messageRequestId } from "../../http/signature_id.ts";
import { createApp } from "../../edge/mod.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import {
  DELIVER_URL,
  fetchFrom,
  KEY,
  requestsFor,
  send,
  signingKey,
  testMessage,
} from "../support/http.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const NEW_KEY = signingKey("n", 24);
const OTHER_KEY = signingKey("o", 64);
const MESSAGE = testMessage({
  headers: { "cap-callback-name": "order.done", traceparent: "00-aa-bb-01" },
});

describe("signing keys", () => {
  it("are taken with and without their prefix", () => {
    verifySignature({ signingKeys: [KEY, KEY.slice("whsec_".length)] });
  });

  it("are taken without the padding of base64, and are the same keys", async () => {
    for (const bytes of [24, 25, 26]) {
      const padded = signingKey("u", bytes);
      const [request] = await requestsFor([MESSAGE], { signingKeys: [padded.replace(/=+$/, "")] });
      const body = await request!.text();
      new Webhook(padded).verify(body, Object.fromEntries(request!.headers));
      const unpadded = padded.replace(/=+$/, "").slice("whsec_".length);
      assert.doesNotThrow(() => verifySignature({ signingKeys: [unpadded] }));
    }
  });

  it("are refused when they are none, and never shown", () => {
    const short = signingKey("s", 23);
    const bad = [[], [short], [signingKey("l", 65)], ["not base64!"], [""], [KEY, short]];
    bad.push(Array.from({ length: 9 }, () => KEY), [undefined as unknown as string]);
    for (const signingKeys of [...bad, undefined as unknown as string[]]) {
      for (
        const make of [
          () => verifySignature({ signingKeys }),
          () => httpTransport({ routes: {}, signingKeys }),
        ]
      ) {
        assert.throws(make, (error: Error & { code?: string }) => {
          assert.equal(error.code, "invalid_option");
          return [short, "c3Nzc3", "not base64!"].every((part) => !error.message.includes(part));
        });
      }
    }
  });
});

it("a check makes one HMAC for each key, however many signatures there are", async () => {
  const keys = Array.from({ length: 8 }, (_, i) => signingKey(String.fromCharCode(97 + i), 24));
  const check = verifySignature({ signingKeys: keys, clock: { now: () => NOW_MS } });
  const forged = Array.from(
    { length: 50 },
    (_, i) => `v1,${btoa(String.fromCharCode(i).repeat(32))}`,
  );
  const headers = new Headers({
    "webhook-id": "m-1",
    "webhook-timestamp": String(NOW_MS / 1000),
    "webhook-signature": forged.join(" "),
  });
  const request = { method: "POST", url: DELIVER_URL, headers };
  const { sign, verify } = crypto.subtle;
  let made = 0;
  const counting = <Args extends unknown[], Result>(work: (...args: Args) => Result) =>
    function (this: unknown, ...args: Args): Result {
      made++;
      return work.apply(crypto.subtle, args);
    };
  try {
    Object.assign(crypto.subtle, { sign: counting(sign), verify: counting(verify) });
    refused(await check(request, new Uint8Array(10)));
  } finally {
    delete (crypto.subtle as Partial<SubtleCrypto>).sign;
    delete (crypto.subtle as Partial<SubtleCrypto>).verify;
  }
  assert.equal(made, 8);
});

for (const format of ["batch", "message"] as const) {
  describe(`a signature, format ${format}`, () => {
    it("holds", async () => {
      accepted(await verify(await signed(format)));
    });

    it("is wanted", async () => {
      for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
        refused(await verify(await signed(format), { set: { [name]: null } }));
      }
    });

    it("needs a key that is known", async () => {
      refused(await verify(await signed(format, [OTHER_KEY])));
    });

    it("may be of an older key, or one of several", async () => {
      const rotation: [string[], string[]][] = [
        [[KEY], [NEW_KEY, KEY]],
        [[NEW_KEY, KEY], [KEY]],
        [[NEW_KEY, KEY], [NEW_KEY]],
        [[NEW_KEY, KEY], [OTHER_KEY, KEY]],
      ];
      for (const [senders, receivers] of rotation) {
        const request = await signed(format, senders);
        accepted(await verify(request, {}, receivers));
      }
      refused(await verify(await signed(format, [NEW_KEY, KEY]), {}, [OTHER_KEY]));
    });

    it("holds for five minutes, both ways", async () => {
      const request = await signed(format);
      for (const seconds of [-300, 300]) {
        accepted(await verify(request, {}, [KEY], NOW_MS + seconds * 1000));
      }
      for (const seconds of [-301, 301, 1e9]) {
        refused(await verify(request, {}, [KEY], NOW_MS + seconds * 1000));
      }
    });

    it("needs a timestamp that is one", async () => {
      for (const timestamp of ["", "now", "-1", "1e9", `${NOW_MS}${NOW_MS}`, "0x10"]) {
        refused(await verify(await signed(format), { set: { "webhook-timestamp": timestamp } }));
      }
    });

    it("does not hold when any signed part was changed", async () => {
      const request = await signed(format);
      const body = new Uint8Array(await request.clone().arrayBuffer());
      body[0]! ^= 1;
      refused(await verify(request, { body }));
      refused(await verify(request, { body: new Uint8Array() }));
      const later = String(NOW_MS / 1000 + 1);
      refused(await verify(request, { set: { "webhook-timestamp": later } }));
      refused(await verify(request, { set: { "webhook-id": "msg_other" } }));
      refused(await verify(request, { set: { "webhook-id": "batch_other" } }));
    });

    it("does not hold in a form that is none", async () => {
      const request = await signed(format);
      const value = request.headers.get("webhook-signature")!.slice("v1,".length);
      for (
        const signature of [
          value,
          `v1a,${value}`,
          `v2,${value}`,
          "v1,",
          "v1,AAAA",
          "v1,*",
          " ",
          `v1,${value}A`,
        ]
      ) {
        refused(await verify(request, { set: { "webhook-signature": signature } }));
      }
      const among = `v1a,x v9,y v1,AAAA v1,${value}`;
      accepted(await verify(request, { set: { "webhook-signature": among } }));
    });

    it("holds for the official library, for each key", async () => {
      const request = await signed(format, [NEW_KEY, KEY], Date.now());
      const body = await request.text();
      for (const key of [KEY, NEW_KEY]) {
        new Webhook(key).verify(body, Object.fromEntries(request.headers));
      }
      assert.throws(() => new Webhook(OTHER_KEY).verify(body, Object.fromEntries(request.headers)));
    });

    it("of the official library holds here", async () => {
      const request = await signed(format);
      const body = await request.clone().text();
      const id = format === "batch" ? "any" : await messageRequestId(request.headers);
      const signature = new Webhook(KEY).sign(id, new Date(NOW_MS), body);
      const set = { "webhook-id": id, "webhook-signature": signature };
      accepted(await verify(request, { set }));
    });

    it("passes again within its time, when the inbox knows the message", async () => {
      const bus = new FakeReceiver();
      const app = createApp(bus, { verify: verifierOf([KEY]) });
      const request = await signed(format);
      for (const copy of [request.clone(), request]) {
        assert.equal((await app.fetch(copy)).status, 200);
      }
      assert.deepEqual(bus.delivered.map(({ id }) => id), ["m-1", "m-1"]);
    });
  });
}

describe("a signature of a raw message", () => {
  it("binds the message's headers", async () => {
    const request = await signed("message");
    const changes: Record<string, string | null>[] = [
      { "cap-msg-name": "order.cancelled" },
      { "cap-callback-name": "attacker.gets" },
      { "cap-callback-name": null },
      { "cap-extra": "1" },
      { "atlast-failure-callback-name": "x" },
      { "content-type": "text/plain" },
      { "content-type": null },
      { "cap-msg-id": "m-2" },
    ];
    for (const set of changes) {
      const result = await verify(request, { set });
      refused(result);
      assert.match(reasonOf(result), /webhook-id/, JSON.stringify(set));
    }
  });

  it("leaves to proxies what is theirs to change", async () => {
    const set = {
      traceparent: "00-cc-dd-01",
      baggage: "a=b",
      via: "proxy",
      "x-forwarded-for": "::1",
    };
    accepted(await verify(await signed("message"), { set }));
  });

  it("cannot be passed off as a batch, nor a batch as a message", async () => {
    // The body of this message is the user's, and looks like a batch.
    const body = `{"messages":[{"headers":{"cap-msg-id":"evil","cap-msg-name":"a"},"body":""}]}`;
    const raw = await signed("message", [KEY], NOW_MS, { body });
    refused(await verify(raw, { set: { "content-type": "application/vnd.atlast.batch+json" } }));
    const batch = await signed("batch");
    const set = { "content-type": "application/json", "cap-msg-id": "evil", "cap-msg-name": "a" };
    refused(await verify(batch, { set }));
  });
});

describe("the audience of a signature", () => {
  const BATCH = "application/vnd.atlast.batch+json";
  const ROUTES = ["deliver", "publish", "tick", "half", "checkback", "query", "dead-letter"];

  for (const format of ["batch", "message"] as const) {
    it(`is the route, format ${format}`, async () => {
      const request = await signed(format);
      for (const route of ROUTES) {
        const result = await verify(request, { route });
        if (route === "deliver") accepted(result);
        else refused(result);
      }
    });

    it(`is a service where both ends name one, format ${format}`, async () => {
      const forStock = await signed(format, [KEY], NOW_MS, {}, "stock");
      const forAny = await signed(format);
      const cases: [Request, string | (string | null)[] | undefined, boolean][] = [
        [forStock, "stock", true],
        [forStock, ["mail", "stock"], true],
        [forStock, "mail", false],
        [forStock, undefined, false],
        [forStock, [null], false],
        [forAny, "stock", false],
        [forAny, ["stock", null], true],
      ];
      for (const [request, audience, isAccepted] of cases) {
        const result = await verify(request, audience === undefined ? {} : { audience });
        assert.equal(result.ok, isAccepted, JSON.stringify(audience));
      }
      refused(await verify(forStock, { audience: "stock", route: "publish" }));
    });
  }

  it("is in the body where a library of the standard signs, under any id", async () => {
    const item = { headers: { "cap-msg-id": "f", "cap-msg-name": "a" }, body: "{}" };
    const cases: [body: unknown, id: string, type: string, route: string, isAccepted: boolean][] = [
      [{ audience: "deliver", messages: [item] }, "msg_2Kd", BATCH, "deliver", true],
      [{ audience: "deliver", messages: [item] }, "x.y", BATCH, "deliver", true],
      [{ messages: [item] }, "msg_2Kd", BATCH, "deliver", false],
      [{ audience: "half", messages: [item] }, "msg_2Kd", BATCH, "deliver", false],
      [{ audience: "deliver", messages: [item] }, "msg_2Kd", BATCH, "publish", false],
      // Its headers would not be signed.
      [{ audience: "deliver" }, "msg_2Kd", "application/json", "deliver", false],
      // An id of Atlast's own means that the sender is Atlast, which binds the form by the id.
      [{ audience: "deliver", messages: [item] }, "atlast_x", BATCH, "deliver", false],
      [{ audience: "tick" }, "msg_2Kd", "application/json", "tick", true],
      [{ audience: "deliver" }, "msg_2Kd", "application/json", "tick", false],
      [["deliver"], "msg_2Kd", BATCH, "deliver", false],
    ];
    for (const [value, id, type, route, isAccepted] of cases) {
      const body = JSON.stringify(value);
      const headers = new Headers({
        "content-type": type,
        "webhook-id": id,
        "webhook-timestamp": String(NOW_MS / 1000),
        "webhook-signature": new Webhook(KEY).sign(id, new Date(NOW_MS), body),
      });
      const asked = { method: "POST", url: DELIVER_URL, headers, route };
      const result = await verifierOf([KEY])(asked, new TextEncoder().encode(body));
      assert.equal(result.ok, isAccepted, `${body} ${id} ${route}`);
    }
  });

  it("in the body is nothing to whoever chooses the body of a message", async () => {
    const body = `{"audience":"deliver","messages":[{"headers":{"cap-msg-id":"evil",` +
      `"cap-msg-name":"a"},"body":""}]}`;
    const request = await signed("message", [KEY], NOW_MS, { body });
    refused(await verify(request, { set: { "content-type": BATCH } }));
    refused(await verify(request, { set: { "content-type": BATCH, "webhook-id": "msg_1" } }));
  });

  it("keeps a captured delivery from every other route of the app", async () => {
    const done: string[] = [];
    const note = (what: string) => () => {
      done.push(what);
      return Promise.resolve({} as never);
    };
    const bus = Object.assign(new FakeReceiver(), {
      tick: note("tick"),
      publishRaw: note("publish"),
    });
    const check = verifierOf([KEY]);
    const app = createApp(bus, {
      verify: check,
      tick: { verify: check },
      publish: { verify: check, names: ["#"] },
    });
    for (const format of ["batch", "message"] as const) {
      const request = await signed(format);
      for (const path of ["/tick", "/publish"]) {
        const { headers } = request;
        const body = await request.clone().arrayBuffer();
        const response = await app.request(path, { method: "POST", headers, body });
        assert.equal(response.status, 401, path);
      }
    }
    assert.deepEqual(done, []);
  });
});

it("a transport's refused signature is retried, and its reason holds no secret", async () => {
  const app = createApp(new FakeReceiver(), { verify: verifierOf([OTHER_KEY], Date.now()) });
  const results = await send(DELIVER_URL, [MESSAGE], { fetch: fetchFrom(app.fetch) });
  assert.equal(results[0]?.kind, "failed");
  const { retryable, reason } = results[0] as { retryable: boolean; reason: string };
  assert.equal(retryable, true);
  assert.match(reason, /receiver\.test answered 401.*keys/);
  assert.ok(!reason.includes(KEY.slice(6)));
});

/** The request that a transport makes for a message. */
async function signed(
  format: HttpFormat,
  signingKeys: string[] = [KEY],
  nowMs = NOW_MS,
  part: Parameters<typeof testMessage>[0] = {},
  audience?: string,
): Promise<Request> {
  const message = { ...MESSAGE, ...part };
  const [request] = await requestsFor([message], {
    format,
    signingKeys,
    clock: { now: () => nowMs },
    ...(audience === undefined ? {} : { routes: { "#": { url: DELIVER_URL, audience } } }),
  });
  return request!;
}

function verifierOf(signingKeys: string[], nowMs = NOW_MS): Verify {
  return verifySignature({ signingKeys, clock: { now: () => nowMs } });
}

/** What a verifier says of a request, after `change` was made to it on the way. */
async function verify(
  request: Request,
  change: {
    set?: Record<string, string | null>;
    body?: Uint8Array;
    route?: string;
    audience?: string | readonly (string | null)[];
  } = {},
  signingKeys: string[] = [KEY],
  nowMs = NOW_MS,
): Promise<VerifyResult> {
  const { method, url } = request;
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(change.set ?? {})) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  const body = change.body ?? new Uint8Array(await request.clone().arrayBuffer());
  const { route, audience } = change;
  const check = verifySignature({
    signingKeys,
    clock: { now: () => nowMs },
    ...(audience === undefined ? {} : { audience }),
  });
  return await check({ method, url, headers, ...(route === undefined ? {} : { route }) }, body);
}

function accepted(result: VerifyResult): void {
  assert.deepEqual(result, { ok: true, principal: { name: "services", kind: "service" } });
}

function refused(result: VerifyResult): void {
  assert.equal(result.ok, false);
  assert.equal(result.ok === false && result.kind, "unauthenticated");
}

function reasonOf(result: VerifyResult): string {
  return result.ok ? "" : result.reason;
}
