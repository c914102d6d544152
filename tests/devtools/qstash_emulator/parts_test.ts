import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { Agenda } from "../../../devtools/qstash_emulator/timers.ts";
import { durationMs } from "../../../devtools/qstash_emulator/duration.ts";
import { parseExpression } from "../../../devtools/qstash_emulator/expression.ts";
import { canonicalName } from "../../../devtools/qstash_emulator/headers.ts";
import { lineOf } from "../../../devtools/qstash_emulator/command_line.ts";
import type { QstashEvent } from "../../../devtools/qstash_emulator/mod.ts";
import { backoffMs } from "../../../devtools/qstash_emulator/retry_time.ts";
import { readTarget } from "../../../devtools/qstash_emulator/target.ts";
import { holds } from "../../support/property.ts";

describe("durations of QStash", () => {
  const read: [string, number | undefined][] = [
    ["10s", 10_000],
    ["1.5s", 1500],
    ["6m5s", 365_000],
    ["1d10h30m", 124_200_000],
    ["250ms", 250],
    ["0s", 0],
    ["10", undefined],
    ["", undefined],
    ["s", undefined],
    ["10s ", undefined],
    ["-10s", undefined],
    ["1h 5m", undefined],
    ["10y", undefined],
  ];
  for (const [text, ms] of read) {
    it(`${JSON.stringify(text)} is ${ms}`, () => assert.equal(durationMs(text), ms));
  }
});

describe("retry delay expressions of QStash", () => {
  const values: [string, number, number][] = [
    ["1000", 0, 1000],
    ["1000 * (1 + retried)", 2, 3000],
    ["pow(2, retried)", 5, 32],
    ["max(10, pow(2, retried))", 1, 10],
    ["min(86400, exp(2.5*retried)) * 1000", 0, 1000],
    ["floor(sqrt(abs(-17))) + ceil(0.1) + round(1.5)", 0, 7],
    ["1 + 2 * 3 - 4 / 2 % 3", 0, 5],
    ["10 - 3 - 2", 0, 5],
    ["--5", 0, 5],
    ["-retried + 1", 3, -2],
    ["max(1, 2, 3)", 0, 3],
  ];
  for (const [text, retried, value] of values) {
    it(`${text} of ${retried} is ${value}`, () => {
      assert.equal(parseExpression(text)?.(retried), value);
    });
  }

  const refused = [
    ...["", "retried +", "(1", "1)", "1 2", "tried", "pow(2)", "pow 2", "sqrt(1, 2)", "max(1)"],
    ...["1e3 + ", "a.b", "constructor(1)", "process", "1;2", "2 ** 3", "1".repeat(1001)],
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.equal(parseExpression(text), undefined);
    });
  }

  it("never throws, whatever it is given", () => {
    const token = fc.constantFrom("retried", "pow", "max", "(", ")", ",", "+", "-", "*", "/", "7");
    holds(fc.property(fc.array(token), (tokens) => void parseExpression(tokens.join(" "))?.(3)));
    holds(fc.property(fc.string(), (text) => void parseExpression(text)?.(3)));
  });
});

describe("the path of a request to QStash", () => {
  const read: [string, string, string | null, string][] = [
    ["/v2/publish/https://a.example/b//c", "/v2/publish", "https://a.example/b//c", ""],
    ["/v2/publish/https://a.example?x=1#f", "/v2/publish", "https://a.example?x=1", ""],
    ["/v2/publish/https://a.example/?", "/v2/publish", "https://a.example/?", ""],
    [
      "/v2/publish/https://a.example/x?Upstash-Retries=3&b=%20&qstash_token=t&b",
      "/v2/publish",
      "https://a.example/x?b=%20&b",
      "Upstash-Retries=3&qstash_token=t",
    ],
    ["/v2/publish/https://a/?upstash-delay=1s", "/v2/publish", "https://a/", "upstash-delay=1s"],
    ["/v2/enqueue/q/https://a/v2/publish/x", "/v2/enqueue/q", "https://a/v2/publish/x", ""],
    ["/v2/schedules/https://a/pause", "/v2/schedules", "https://a/pause", ""],
    ["/v2/schedules/scd_1/pause", "/v2/schedules/scd_1/pause", null, ""],
    ["/v2/schedules/scd_1", "/v2/schedules", "scd_1", ""],
    ["/v2/schedules", "/v2/schedules", null, ""],
    ["/v2/dlq?count=1&url=https%3A%2F%2Fa", "/v2/dlq", null, "count=1&url=https%3A%2F%2Fa"],
  ];
  for (const [url, path, destination, query] of read) {
    it(url, () => {
      const target = readTarget(`http://127.0.0.1:8080${url}`);
      assert.deepEqual([target.path, target.destination], [path, destination]);
      assert.equal(target.query.toString(), new URLSearchParams(query).toString());
    });
  }

  it("leaves a destination as it is, whatever it is", () => {
    holds(fc.property(fc.webUrl({ withQueryParameters: true }), (url) => {
      const sent = new URL(`http://q.example/v2/publish/${url}`).toString();
      fc.pre(!/[?&](qstash_token|upstash-)/i.test(url) && !url.includes("/.."));
      assert.equal(
        new URL(readTarget(sent).destination!).toString(),
        new URL(url).toString(),
      );
    }));
  });
});

describe("small parts of the emulator", () => {
  it("the agenda gives what is due, the earliest first, and of the same time the first added", () => {
    holds(fc.property(fc.array(fc.nat({ max: 9 })), fc.nat({ max: 9 }), (times, nowMs) => {
      const agenda = new Agenda();
      const done: [number, number][] = [];
      const cancels = times.map((atMs, i) => agenda.add(atMs, () => done.push([atMs, i])));
      cancels.filter((_, i) => i % 4 === 3).forEach((cancel) => cancel());
      for (let run = agenda.take(nowMs); run; run = agenda.take(nowMs)) run();
      const expected = times.map((atMs, i): [number, number] => [atMs, i])
        .filter(([atMs, i]) => atMs <= nowMs && i % 4 !== 3)
        .sort(([a, i], [b, j]) => a - b || i - j);
      assert.deepEqual(done, expected);
      const left = times.filter((atMs, i) => atMs > nowMs && i % 4 !== 3);
      assert.equal(agenda.nextAtMs, left.length === 0 ? undefined : Math.min(...left));
    }));
  });

  it("the backoff never ends and never goes over a day", () => {
    for (const retry of [1, 5, 10, 1000, 1e9]) {
      assert.ok(backoffMs(retry) > 0 && backoffMs(retry) <= 86_400_000);
    }
  });

  it("header names as Go writes them", () => {
    assert.deepEqual(
      ["x-my-id", "CONTENT-TYPE", "etag", "x-1-a"].map(canonicalName),
      ["X-My-Id", "Content-Type", "Etag", "X-1-A"],
    );
  });

  it("the line of a delivery says id, destination and status, and nothing that may be secret", () => {
    const event: QstashEvent = {
      atMs: 0,
      state: "DELIVERED",
      messageId: "msg_1",
      url: "https://user:s3cret@a.example:8443/hook?key=s3cret",
      kind: "message",
      retried: 0,
      status: 200,
    };
    assert.equal(lineOf(event), "msg_1 https://a.example:8443/hook 200");
    assert.equal(
      lineOf({ ...event, state: "ERROR", status: 0, retried: 2 }),
      "msg_1 https://a.example:8443/hook no answer, retry 2",
    );
    assert.equal(
      lineOf({ ...event, state: "FAILED" }),
      "msg_1 https://a.example:8443/hook dead-lettered",
    );
    assert.equal(lineOf({ ...event, state: "ACTIVE" }), null);
  });
});
