import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { httpTransport, type HttpTransportOptions } from "../../../adapters/http/mod.ts";
import { readRetryAfter } from "../../../http/retry_after.ts";
import { type HttpRoutes, routeTable } from "../../../adapters/http/routes.ts";
import { SigningKeys } from "../../../adapters/http/target.ts";
import { KEY, signingKey } from "../../support/http.ts";

/** The URLs of each name. */
function tableOf(routes: HttpRoutes): { find(name: string): string[] | undefined } {
  const table = routeTable(routes, new SigningKeys([KEY], { now: () => 0 }), {
    format: "batch",
    answers: "atlast",
  });
  return { find: (name) => table.find(name)?.map(({ url }) => url) };
}

describe("routes", () => {
  it("take the most exact pattern, in whatever order they are given", () => {
    const patterns = ["#", "order.#", "order.*", "order.*.paid", "*.*.paid", "order.eu.paid", "*"];
    const wanted: [string, string | undefined][] = [
      ["order.eu.paid", "order.eu.paid"],
      ["order.us.paid", "order.*.paid"],
      ["stock.us.paid", "*.*.paid"],
      ["order.placed", "order.*"],
      ["order", "order.#"],
      ["order.a.b.c", "order.#"],
      ["stock", "*"],
      ["stock.moved", "#"],
    ];
    for (const given of [patterns, patterns.toReversed()]) {
      const table = tableOf(
        Object.fromEntries(given.map((pattern, i) => [pattern, `https://${patternHost(i)}/`])),
      );
      for (const [name, pattern] of wanted) {
        const url = pattern && `https://${patternHost(given.indexOf(pattern))}/`;
        assert.deepEqual(table.find(name), url && [url], name);
      }
    }
  });

  it("may have several URLs, each once", () => {
    const table = tableOf({ a: ["http://x/", new URL("http://y/"), "http://x"] });
    assert.deepEqual(table.find("a"), ["http://x/", "http://y/"]);
    assert.equal(table.find("b"), undefined);
  });

  it("are checked when they are made, and never shown", () => {
    const bad = ["", "/deliver", "ftp://x/", "javascript:alert(1)", "http://user:secret@x/", []];
    for (const url of [...bad, ["http://x", "file:///secret"], ["http://u@x"]]) {
      assert.throws(() => tableOf({ "a.b": url }), (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid_option");
        assert.match(error.message, /"a\.b"/);
        return !error.message.includes("secret");
      });
    }
    assert.throws(() => tableOf({ "a..b": "http://x" }), { code: "invalid_name" });
  });
});

describe("keys of outsiders", () => {
  const OTHER = signingKey("o");
  const make = (options: Partial<HttpTransportOptions>) =>
    httpTransport({ routes: {}, signingKeys: [KEY, signingKey("n")], ...options });

  it("are none of our own services', whatever their prefix", () => {
    for (const key of [KEY, KEY.slice("whsec_".length), signingKey("n")]) {
      for (
        const options of [
          { destinations: [{ url: "https://x.test", signingKeys: [OTHER, key] }] },
          { routes: { a: { url: "https://x.test/", signingKeys: [key] } } },
        ]
      ) {
        assert.throws(() => make(options), (error: Error & { code?: string }) => {
          assert.equal(error.code, "invalid_option");
          return /key of your own services, want others/.test(error.message) &&
            !error.message.includes(key);
        });
      }
    }
  });

  it("are said, or that there are none", () => {
    const url = "https://x.test";
    make({ destinations: [{ url, signingKeys: [OTHER] }, { url, unsigned: true }] });
    const bad: unknown[] = [{ url }, { url, signingKeys: [OTHER], unsigned: true }, {
      url,
      unsigned: false,
    }];
    for (const destination of bad) {
      assert.throws(() => make({ destinations: [destination as never] }), {
        code: "invalid_option",
      });
    }
    assert.throws(() => make({ destinations: (() => true) as never }), { code: "invalid_option" });
  });
});

describe("patterns of destinations", () => {
  const allows = (pattern: string, destination: string): boolean =>
    httpTransport({
      routes: {},
      signingKeys: [KEY],
      destinations: [{ url: pattern, unsigned: true }],
    }).routes("a", { "atlast-destination": destination });

  it("are the beginning of a URL, up to a slash", () => {
    const cases: [pattern: string, yes: string[], no: string[]][] = [
      ["https://a.test", ["https://a.test", "https://a.test:443/x?y", "https://A.TEST/"], [
        "http://a.test/",
        "https://a.test:8443/",
        "https://b.a.test/",
        "https://a.test.evil.test/",
        "https://a.test@evil.test/",
      ]],
      ["https://a.test/hooks", ["https://a.test/hooks", "https://a.test/hooks/1?x"], [
        "https://a.test/hooksy",
        "https://a.test/",
        "https://a.test/hooks/../admin",
        "https://a.test/x/hooks",
      ]],
      ["https://*.a.test/h/", ["https://b.a.test/h/", "https://c.b.a.test/h/x"], [
        "https://a.test/h/",
        "https://ba.test/h/",
        "https://b.a.test/",
        "https://evil.test/.a.test/h/",
      ]],
    ];
    for (const [pattern, yes, no] of cases) {
      for (const url of yes) assert.equal(allows(pattern, url), true, `${pattern} ${url}`);
      for (const url of no) assert.equal(allows(pattern, url), false, `${pattern} ${url}`);
    }
  });

  it("are checked when they are made", () => {
    for (
      const bad of [
        "",
        "*",
        "https://*",
        "https://*.*.test",
        "https://a.*.test",
        "https://a.test?x=1",
      ]
    ) assert.throws(() => allows(bad, "https://a.test"), { code: "invalid_option" }, bad);
  });
});

describe("options", () => {
  const make = (options: Partial<HttpTransportOptions>) =>
    httpTransport({ routes: { "a.*": "http://x/" }, signingKeys: [KEY], ...options });

  it("say what the transport can do", () => {
    assert.deepEqual(make({}).capabilities, { maxBatch: 100, maxBodyBytes: 1024 * 1024 });
    const small = make({ maxBatch: 7, maxRequestBytes: 5000 });
    assert.deepEqual(small.capabilities, { maxBatch: 7, maxBodyBytes: 5000 });
    assert.equal(small.routes("a.b"), true);
    assert.equal(small.routes("b"), false);
  });

  it("are refused outside their bounds", () => {
    const bad: Partial<HttpTransportOptions>[] = [
      { maxBatch: 0 },
      { maxBatch: 1001 },
      { maxBatch: 1.5 },
      { timeoutMs: 0 },
      { timeoutMs: Infinity },
      { timeoutMs: 2 ** 31 },
      { maxRequestBytes: NaN },
      { format: "xml" as "batch" },
      { headers: { "content-type": "text/plain" } },
      { headers: { "Webhook-Id": "1" } },
      { headers: { "cap-msg-id": "1" } },
      { headers: { host: "other" } },
      { headers: { "bad name": "1" } },
      { headers: { authorization: "secret\n" + "secret: 1" } },
    ];
    for (const options of bad) {
      assert.throws(() => make(options), (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid_option");
        return !error.message.includes("secret");
      }, JSON.stringify(options));
    }
  });
});

it("Retry-After is read in both forms and bounded", () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const hourMs = 3_600_000;
  const cases: [string | null, number | undefined][] = [
    [null, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7_000],
    ["999999999999", hourMs],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["Fri, 01 Jan 2027 00:00:00 GMT", hourMs],
    ["Thu, 99 Jan 2026 00:00:30 GMT", undefined],
    ["2026-01-01T00:00:30Z", undefined],
  ];
  for (const [header, wanted] of cases) {
    assert.equal(readRetryAfter(header, nowMs), wanted, `${header}`);
  }
});

function patternHost(i: number): string {
  return `host-${i}.test`;
}
