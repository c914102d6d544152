import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { Receiver, SignatureError } from "@upstash/qstash";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { type Delivery, virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";

const URL_A = "https://a.example/api?x=1";

describe("Receiver.verify", () => {
  let qstash: VirtualQstashFixture;

  before(async () => {
    qstash = await virtualQstash();
  });
  after(() => qstash.close());

  async function delivered(body: string | Blob): Promise<Delivery> {
    const from = qstash.deliveries.length;
    await qstash.client.publish({ url: URL_A, body });
    await qstash.emulator.settled();
    return qstash.deliveries[from]!;
  }

  function verify(delivery: Delivery, receiver: Receiver = qstash.receiver()): Promise<boolean> {
    const signature = delivery.headers.get("upstash-signature")!;
    return receiver.verify({ signature, body: delivery.text, url: URL_A });
  }

  it("accepts a delivery, its body and its URL", async () => {
    assert.equal(await verify(await delivered("wörld")), true);
    assert.equal(await verify(await delivered("")), true);
  });

  it("refuses another body, another URL, another key", async () => {
    const delivery = await delivered("b");
    await assert.rejects(verify({ ...delivery, text: "c" }), SignatureError);
    const signature = delivery.headers.get("upstash-signature")!;
    const other = qstash.receiver().verify({ signature, body: "b", url: `${URL_A}/` });
    await assert.rejects(other, /invalid subject/);
    const keys = { currentSigningKey: "sig_x", nextSigningKey: "sig_y", devMode: false };
    await assert.rejects(verify(delivery, new Receiver(keys)), SignatureError);
  });

  it("jose reads the claims that the documentation names", async () => {
    const delivery = await delivered("b");
    const token = delivery.headers.get("upstash-signature")!;
    assert.deepEqual(decodeProtectedHeader(token), { alg: "HS256", typ: "JWT" });
    const key = new TextEncoder().encode(qstash.emulator.keys.current);
    const { payload } = await jwtVerify(token, key, { issuer: "Upstash", algorithms: ["HS256"] });
    const iat = Math.floor(qstash.clock.now() / 1000);
    const { jti, ...claims } = payload;
    assert.match(jti!, /^jwt_/);
    assert.deepEqual(claims, {
      aud: "",
      body: "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0=",
      exp: iat + 300,
      iat,
      iss: "Upstash",
      nbf: 0,
      sub: URL_A,
    });
  });

  it("a binary body is signed as bytes", async () => {
    const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0xff, 0]);
    const delivery = await delivered(new Blob([bytes]));
    const token = delivery.headers.get("upstash-signature")!;
    const key = new TextEncoder().encode(qstash.emulator.keys.current);
    const { payload } = await jwtVerify(token, key);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const text = btoa(String.fromCharCode(...digest)).replaceAll("+", "-").replaceAll("/", "_");
    assert.equal(payload["body"], text);
    // What the reference says of the official receiver: it reads text, so it cannot hold this one.
    await assert.rejects(verify(delivery), /body hash does not match/);
  });

  it("a key that was rotated: the receiver holds on through one rotation, and not two", async () => {
    const receiver = qstash.receiver();
    const before = qstash.emulator.keys;
    const keys = qstash.emulator.rotateKeys();
    assert.equal(keys.current, before.next);
    assert.notEqual(keys.next, before.next);
    assert.equal(await verify(await delivered("one"), receiver), true);
    qstash.emulator.rotateKeys();
    await assert.rejects(verify(await delivered("two"), receiver), SignatureError);
    assert.equal(await verify(await delivered("three")), true);
  });

  it("a retry is signed anew", async () => {
    const other = await virtualQstash(({ headers }) =>
      headers.get("upstash-retried") === "0" ? 500 : 200
    );
    try {
      await other.client.publish({ url: URL_A, body: "b", delay: "1h" });
      await other.emulator.drain();
      const [first, second] = other.deliveries;
      assert.notEqual(
        first!.headers.get("upstash-signature"),
        second!.headers.get("upstash-signature"),
      );
      assert.equal(await verify(second!, other.receiver()), true);
    } finally {
      await other.close();
    }
  });

  it("notBeforeClaim: issued_at makes a token as before September 2024", async () => {
    const other = await virtualQstash(() => 200, { assume: { notBeforeClaim: "issued_at" } });
    try {
      await other.client.publish({ url: URL_A });
      await other.emulator.drain();
      const token = other.deliveries[0]!.headers.get("upstash-signature")!;
      const key = new TextEncoder().encode(other.emulator.keys.current);
      const { payload } = await jwtVerify(token, key);
      assert.equal(payload.nbf, payload.iat);
    } finally {
      await other.close();
    }
  });
});

describe("keys", () => {
  it("GET /v2/keys and POST /v2/keys/rotate give current and next", async () => {
    const qstash = await virtualQstash();
    try {
      const ask = async (method: string, path: string) => {
        const headers = { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` };
        return (await fetch(`${qstash.url}${path}`, { method, headers })).json();
      };
      const first = await ask("GET", "/v2/keys");
      assert.deepEqual(first, qstash.emulator.keys);
      const second = await ask("POST", "/v2/keys/rotate");
      assert.equal(second.current, first.next);
      assert.match(second.next, /^sig_/);
      assert.deepEqual(await ask("GET", "/v2/keys"), second);
    } finally {
      await qstash.close();
    }
  });
});
