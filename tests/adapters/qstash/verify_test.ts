import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Receiver } from "@upstash/qstash";
import * as jose from "jose";
import { verifyQstash, type VerifyQstashOptions } from "../../../adapters/qstash/verify.ts";
import { boundUrl } from "../../../adapters/qstash/dialect/binding.ts";
import type { Principal } from "../../../core/principal.ts";
import type { PushDelivery } from "../../../core/ports/push_delivery.ts";
import type { VerifyResult } from "../../../core/wire/wire.ts";
import { qstashToken } from "../../support/qstash_token.ts";

const NOW_MS = Date.now();
const NOW_S = Math.floor(NOW_MS / 1000);
const CURRENT = "sig_current_0123456789abcdef";
const NEXT = "sig_next_0123456789abcdef";
const URL_ = "https://orders.example/atlast/deliver";
const BODY = new TextEncoder().encode(`{"orderId":1}`);

/** A token as QStash makes it; `claims` and `header` say what is special about it. */
function tokenFor(
  body: Uint8Array,
  claims: Record<string, unknown> = {},
  { key = CURRENT, alg = "HS256" } = {},
): Promise<string> {
  return qstashToken(body, URL_, { claims, key, alg, nowS: NOW_S });
}

interface Delivery {
  readonly token: string;
  readonly body?: Uint8Array;
  readonly url?: string;
  readonly route?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly options?: Partial<VerifyQstashOptions>;
}

async function ours(
  {
    token,
    body = BODY,
    url = "http://10.0.0.7:8080/deliver",
    route,
    headers = {},
    options = {},
  }: Delivery,
) {
  const verify = verifyQstash({
    currentSigningKey: CURRENT,
    nextSigningKey: NEXT,
    url: URL_,
    clockToleranceS: 0,
    clock: { now: () => NOW_MS },
    ...options,
  });
  const asked = {
    method: "POST",
    url,
    headers: new Headers({ ...headers, "upstash-signature": token }),
    ...(route === undefined ? {} : { route }),
  };
  return await verify(asked, body);
}

/** What Upstash's own receiver says. */
async function theirs({ token, body = BODY }: Delivery, clockTolerance = 0): Promise<boolean> {
  const receiver = new Receiver({
    currentSigningKey: CURRENT,
    nextSigningKey: NEXT,
    devMode: false,
  });
  const text = new TextDecoder().decode(body);
  try {
    return await receiver.verify({ signature: token, body: text, url: URL_, clockTolerance });
  } catch {
    return false;
  }
}

function reasonOf(result: VerifyResult): string {
  assert.ok(!result.ok);
  assert.equal(result.kind, "unauthenticated");
  return result.reason;
}

describe("verifyQstash accepts, as the official receiver does", () => {
  const cases: Readonly<Record<string, () => Promise<string>>> = {
    "what the current key signed": () => tokenFor(BODY),
    "what the next key signed, once the keys were rotated": () => tokenFor(BODY, {}, { key: NEXT }),
    "a body claim without its padding": async () => {
      const claims = jose.decodeJwt(await tokenFor(BODY));
      return tokenFor(BODY, { body: String(claims["body"]).replace("=", "") });
    },
    "a token that is valid from now on": () => tokenFor(BODY, { nbf: NOW_S }),
  };
  for (const [name, make] of Object.entries(cases)) {
    it(name, async () => {
      const token = await make();
      assert.equal((await ours({ token })).ok, true);
      assert.equal(await theirs({ token }), true);
    });
  }

  it("an empty body", async () => {
    const delivery = { token: await tokenFor(new Uint8Array()), body: new Uint8Array() };
    assert.equal((await ours(delivery)).ok, true);
    assert.equal(await theirs(delivery), true);
  });

  it("a clock that is off by as much as the tolerance", async () => {
    for (const claims of [{ nbf: NOW_S + 5 }, { exp: NOW_S - 5 }]) {
      const token = await tokenFor(BODY, claims);
      assert.equal((await ours({ token })).ok, false);
      assert.equal(await theirs({ token }), false);
      assert.equal((await ours({ token, options: { clockToleranceS: 8 } })).ok, true);
      assert.equal(await theirs({ token }, 8), true);
    }
  });
});

describe("verifyQstash accepts what the official receiver cannot", () => {
  it("bodies that are no UTF-8, or begin with a byte-order mark", async () => {
    for (
      const body of [
        Uint8Array.of(0, 255, 254, 128),
        Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d),
      ]
    ) {
      const delivery = { token: await tokenFor(body), body };
      assert.equal((await ours(delivery)).ok, true);
      assert.equal(await theirs(delivery), false);
    }
  });

  it("bytes that are a view of a larger buffer", async () => {
    const whole = Uint8Array.of(9, 9, ...BODY, 9);
    const body = whole.subarray(2, -1);
    assert.equal((await ours({ token: await tokenFor(BODY), body })).ok, true);
  });
});

describe("verifyQstash refuses", () => {
  const refused: Readonly<Record<string, readonly [() => Promise<string> | string, RegExp]>> = {
    "a request without a signature": [() => "", /there is none/],
    "text that is no token": [() => "a.b", /no token/],
    "a token of more parts": [async () => `${await tokenFor(BODY)}.x`, /no token/],
    "a token that is far too long": [() => `a.${"b".repeat(9_000)}.c`, /no token/],
    "a key that is not known here": [() => tokenFor(BODY, {}, { key: "sig_other" }), /no key here/],
    "a token that was changed": [async () => {
      const [header, , signature] = (await tokenFor(BODY)).split(".");
      const claims = { ...jose.decodeJwt(await tokenFor(BODY)), exp: NOW_S + 9_999 };
      const changed = jose.base64url.encode(JSON.stringify(claims));
      return `${header}.${changed}.${signature}`;
    }, /no key here/],
    "an expired one": [() => tokenFor(BODY, { exp: NOW_S }), /expired/],
    "one that never expires": [() => tokenFor(BODY, { exp: undefined }), /expired/],
    "one that is not valid yet": [() => tokenFor(BODY, { nbf: NOW_S + 60 }), /not valid yet/],
    "another issuer": [() => tokenFor(BODY, { iss: "Downstash" }), /issuer/],
    "no issuer": [() => tokenFor(BODY, { iss: undefined }), /issuer/],
    "another URL": [() => tokenFor(BODY, { sub: "https://evil.example/deliver" }), /another URL/],
    "another scheme": [() => tokenFor(BODY, { sub: URL_.replace("https", "http") }), /another URL/],
    "another path": [() => tokenFor(BODY, { sub: `${URL_}/` }), /another URL/],
    "no URL": [() => tokenFor(BODY, { sub: undefined }), /another URL/],
    "a body claim of something else": [() => tokenFor(Uint8Array.of(1)), /another body/],
    "a body claim that is too short": [() => tokenFor(BODY, { body: "AA" }), /another body/],
    "no body claim": [() => tokenFor(BODY, { body: undefined }), /no digest of the body/],
    "a body claim that is no text": [() => tokenFor(BODY, { body: 7 }), /no digest of the body/],
  };
  for (const [name, [make, reason]] of Object.entries(refused)) {
    it(name, async () => {
      const token = await make();
      const said = reasonOf(await ours({ token }));
      assert.match(said, reason);
      for (const secret of [CURRENT, NEXT, token].filter((text) => text !== "")) {
        assert.ok(!said.includes(secret));
      }
      if (name !== "one that never expires") assert.equal(await theirs({ token }), false);
    });
  }

  it("every other algorithm, which the official receiver lets through", async () => {
    for (const alg of ["HS384", "HS512"]) {
      const token = await tokenFor(BODY, {}, { alg, key: CURRENT.repeat(4) });
      const options = { currentSigningKey: CURRENT.repeat(4) };
      assert.match(reasonOf(await ours({ token, options })), /HS256/);
      assert.equal(
        await new Receiver({ ...options, nextSigningKey: NEXT, devMode: false })
          .verify({ signature: token, body: new TextDecoder().decode(BODY) }),
        true,
      );
    }
  });

  it("a token that names no algorithm, or one of another kind of key", async () => {
    const claims = jose.decodeJwt(await tokenFor(BODY));
    const unsigned = new jose.UnsecuredJWT(claims).encode();
    const { privateKey } = await jose.generateKeyPair("RS256");
    const rsa = await new jose.SignJWT(claims).setProtectedHeader({ alg: "RS256" })
      .sign(privateKey);
    for (const token of [unsigned, `${unsigned}AA`, rsa]) {
      assert.match(reasonOf(await ours({ token })), /no token|HS256/);
      assert.equal(await theirs({ token }), false);
    }
  });
});

describe("verifyQstash and the URL", () => {
  const sub = "https://orders.example/atlast/tick?budgetMs=5";

  it("compares with the configured one, whatever a proxy made of the request's own", async () => {
    const token = await tokenFor(BODY, { sub });
    const at = async (url: string, configured: string) =>
      (await ours({ token, url, options: { url: configured } })).ok;
    // The whole URL, or what comes before the path that the service sees.
    assert.equal(await at("http://10.0.0.7/anything", sub), true);
    assert.equal(
      await at("http://10.0.0.7/tick?budgetMs=5", "https://orders.example/atlast"),
      true,
    );
    assert.equal(
      await at("http://10.0.0.7/atlast/tick?budgetMs=5", "https://orders.example"),
      true,
    );
    assert.equal(
      await at("http://10.0.0.7/tick?budgetMs=9", "https://orders.example/atlast"),
      false,
    );
    assert.equal(await at("http://10.0.0.7/deliver", "https://orders.example/atlast"), false);
    assert.equal(
      await at("https://orders.example/atlast/tick?budgetMs=5", "https://a.example"),
      false,
    );
  });

  it("is that of the route that asks, and of no other", async () => {
    const at = async (sub: string, route: string, configured: VerifyQstashOptions["url"]) => {
      const token = await tokenFor(BODY, { sub });
      const url = `http://10.0.0.7/${route}`;
      return (await ours({ token, url, route, options: { url: configured } })).ok;
    };
    const whole = "https://orders.example/deliver";
    const gone = "https://orders.example/dead-letter";
    for (const configured of ["https://orders.example", whole, { deliver: whole }]) {
      assert.equal(await at(whole, "deliver", configured), true);
      assert.equal(await at(whole, "dead-letter", configured), false);
      assert.equal(await at(gone, "deliver", configured), false);
    }
    assert.equal(await at(gone, "dead-letter", "https://orders.example"), true);
    const hooks = {
      deliver: "https://o.example/hook/7",
      "dead-letter": "https://o.example/hook/8",
    };
    assert.equal(await at(hooks.deliver, "deliver", hooks), true);
    assert.equal(await at(hooks["dead-letter"], "dead-letter", hooks), true);
    assert.equal(await at(hooks.deliver, "dead-letter", hooks), false);
    assert.equal(await at(hooks["dead-letter"], "deliver", hooks), false);
    assert.equal(await at(hooks.deliver, "tick", hooks), false);
  });

  it("has to be configured", () => {
    for (const url of [undefined, null, "", {}]) {
      const options = { currentSigningKey: CURRENT, nextSigningKey: NEXT, url: url as string };
      assert.throws(() => verifyQstash(options), { code: "invalid_option" });
    }
  });
});

describe("verifyQstash and the headers of a message", () => {
  const MESSAGE = {
    "content-type": "application/json",
    "cap-msg-id": "m",
    "cap-msg-name": "order.placed",
    "atlast-failure-callback-name": "order.stuck",
  };
  const BATCH = { "content-type": "application/vnd.atlast.batch+json" };

  /** What is said of a delivery that was signed with one URL and comes with these headers. */
  async function said(
    sub: string,
    headers: Record<string, string>,
    acceptUnboundRaw?: VerifyQstashOptions["acceptUnboundRaw"],
    claims: Record<string, unknown> = {},
  ) {
    const result = await ours({
      token: await tokenFor(BODY, { sub, ...claims }),
      headers,
      ...(acceptUnboundRaw === undefined ? {} : { options: { acceptUnboundRaw } }),
    });
    return result.ok ? { principal: result.principal, push: result.push } : reasonOf(result);
  }

  it("are bound by a digest in the URL", async () => {
    const sub = await boundUrl(URL_, new Headers(MESSAGE));
    const bound = await said(sub, { ...MESSAGE, "upstash-retried": "3", traceparent: "x" });
    assert.deepEqual(bound, {
      principal: { name: "qstash", kind: "push_provider", callbackNames: ["#"] },
      push: { attempt: 4, signedAtMs: NOW_S * 1000, url: sub, bindsHeaders: true, unbound: null },
    });
    const changes: Record<string, string>[] = [
      { "cap-msg-name": "payment.refund" },
      { "cap-msg-id": "n" },
      { "cap-callback-name": "payment.refund" },
      { "atlast-failure-callback-name": "x" },
      { "content-type": "text/plain" },
      BATCH,
    ];
    for (const change of changes) {
      assert.match(String(await said(sub, { ...MESSAGE, ...change })), /other headers/);
    }
    assert.match(String(await said(`${sub}x`, MESSAGE)), /other headers/);
  });

  it("are nobody's without it", async () => {
    const unbound = await said(URL_, MESSAGE) as { principal: Principal; push: PushDelivery };
    assert.deepEqual(unbound.principal.callbackNames, []);
    assert.equal(unbound.push.bindsHeaders, false);
    assert.equal(unbound.push.unbound, null);
  });

  it("may be taken without it by name, under an id of what is signed", async () => {
    const option = { names: ["order.*"] };
    const one = await said(URL_, MESSAGE, option) as { principal: Principal; push: PushDelivery };
    assert.match(one.push.unbound?.id ?? "", /^qstash_[\w-]{43}$/);
    assert.deepEqual(one.push.unbound?.names, ["order.*"]);
    assert.deepEqual(one.principal.callbackNames, []);
    const again = await said(URL_, { ...MESSAGE, "cap-msg-id": "n" }, option) as typeof one;
    assert.equal(again.push.unbound?.id, one.push.unbound?.id);
    const other = await said(URL_, MESSAGE, option, { jti: "jwt_2" }) as typeof one;
    assert.notEqual(other.push.unbound?.id, one.push.unbound?.id);
    const nameless = await said(URL_, MESSAGE, option, { jti: undefined }) as typeof one;
    assert.equal(nameless.push.unbound, null);
  });

  it("stand in the body of a batch, which is no raw body, nor one of those a batch", async () => {
    const bindsAs = async (sub: string, headers: Record<string, string>, isOpen: boolean) => {
      const result = await said(sub, headers, isOpen ? { names: ["#"] } : undefined);
      const { bindsHeaders, unbound } = (result as { push: PushDelivery }).push;
      return bindsHeaders ? "bound" : unbound === null ? "refused" : "unbound";
    };
    const group = `${URL_}?atlast-form=batch`;
    assert.equal(await bindsAs(URL_, BATCH, false), "bound");
    assert.equal(await bindsAs(URL_, MESSAGE, false), "refused");
    assert.equal(await bindsAs(URL_, BATCH, true), "refused");
    assert.equal(await bindsAs(URL_, MESSAGE, true), "unbound");
    for (const isOpen of [true, false]) {
      assert.equal(await bindsAs(group, BATCH, isOpen), "bound");
      assert.equal(await bindsAs(group, MESSAGE, isOpen), "refused");
    }
  });
});

describe("the options of verifyQstash", () => {
  const keys = { currentSigningKey: CURRENT, nextSigningKey: NEXT, url: URL_ };
  const wrong: Readonly<Record<string, VerifyQstashOptions>> = {
    "no current key": { ...keys, currentSigningKey: "" },
    "no next key": { ...keys, nextSigningKey: undefined as unknown as string },
    "a key with a line break": { ...keys, currentSigningKey: `${CURRENT}\n` },
    "a URL that is none": { ...keys, url: "orders.example" },
    "a URL of another kind": { ...keys, url: "ftp://orders.example" },
    "a tolerance below zero": { ...keys, clockToleranceS: -1 },
    "a tolerance that is none": { ...keys, clockToleranceS: NaN },
    "no unbound names": { ...keys, acceptUnboundRaw: { names: [] } },
    "all unbound names": { ...keys, acceptUnboundRaw: true as unknown as { names: string[] } },
  };
  for (const [name, options] of Object.entries(wrong)) {
    it(`refuse ${name}, and show no key`, () => {
      assert.throws(() => verifyQstash(options), (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid_option");
        assert.ok(!error.message.includes("sig_"));
        return true;
      });
    });
  }
});
