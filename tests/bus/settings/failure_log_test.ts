import assert from "node:assert/strict";
import { afterEach, describe, it, mock } from "node:test";
import * as z from "zod";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import {
  type BusOptions,
  defineMessage,
  type Logger,
  NonRetryable,
  subscribe,
} from "../../../mod.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { pushed } from "../../support/pushed.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const SECRET = "hunter2";

/** A logger that keeps what it gets, the level first. */
class Kept implements Logger {
  readonly lines: string[] = [];

  error(text: string): void {
    this.lines.push(`error ${text}`);
  }

  warn(text: string): void {
    this.lines.push(`warn ${text}`);
  }
}

/** Has a bus handle a message with a handler that throws. */
async function logOf(
  thrown: () => unknown,
  options: Pick<BusOptions<Tx>, "logger" | "redact"> = {},
) {
  const logger = new Kept();
  const parts = fixture([
    subscribe(Placed, { group: "mail" }, function sendMail() {
      throw thrown();
    }),
  ], { logger, ...options });
  await parts.bus.deliver([arriving("m-1")]);
  return { ...parts, lines: logger.lines };
}

describe("the log of failures", () => {
  afterEach(() => mock.restoreAll());

  it("goes to the console by default, with name, id, group, attempt, error and stack", async () => {
    const warned = mock.method(console, "warn", () => {});
    const { bus } = fixture([
      subscribe(Placed, { group: "mail" }, function sendMail() {
        throw new TypeError("no address");
      }),
    ]);
    await bus.deliver([arriving("m-1")]);
    assert.equal(warned.mock.callCount(), 1);
    const [text, ...more] = warned.mock.calls[0]!.arguments;
    assert.match(
      text,
      /^Atlast: attempt 1 of "order\.placed" \(inbox id m-1, group mail\) failed, the next is at 2025-\S+Z: TypeError: no address\n +at .*sendMail/,
    );
    assert.deepEqual(more, []);
  });

  it("is off with the logger false", async () => {
    const spies = [mock.method(console, "warn"), mock.method(console, "error")];
    await logOf(() => new NonRetryable("no"), { logger: false });
    await logOf(() => new Error("no"), { logger: false });
    assert.deepEqual(spies.map(({ mock }) => mock.callCount()), [0, 0]);
  });

  it("has a message that failed for good as an error, and its thrown value in the event", async () => {
    const thrown = new NonRetryable("no address", { cause: new RangeError("no street") });
    const { lines, observed } = await logOf(() => thrown);
    assert.equal(lines.length, 1);
    assert.match(
      lines[0]!,
      /^error Atlast: "order\.placed" \(inbox id m-1, group mail\) failed for good, attempts: 1: .*no address\n[^]*caused by RangeError: no street\n/,
    );
    assert.equal(observed.all("failed")[0]?.error, thrown);
    const again = await logOf(() => thrown.cause);
    assert.equal(again.observed.all("retrying")[0]?.error, thrown.cause);
  });

  it("has sends that failed, thrown or answered", async () => {
    const logger = new Kept();
    let answer: () => Promise<never> | { kind: "failed"; reason: string; retryable: boolean };
    const transport = new FakeTransport(() => answer());
    const { bus } = fixture([], { transport, logger });
    answer = () => Promise.reject(new Error("the cable is cut"));
    await bus.publish(Placed, { n: 1 }, { id: "m-1" });
    await bus.tick();
    answer = () => ({ kind: "failed", reason: "answered 500", retryable: false });
    await bus.publish(Placed, { n: 1 }, { id: "m-2" });
    await bus.tick();
    const of = (id: string) => logger.lines.filter((line) => line.includes(`(outbox id ${id})`));
    assert.match(
      of("m-1")[0]!,
      /^warn .* failed, the next is at .*: Error: the cable is cut\n +at /,
    );
    assert.match(of("m-2")[0]!, /^error .* failed for good, attempts: 1: answered 500/);
  });

  it("has errors of background work, and messages that are rejected", async () => {
    const logger = new Kept();
    const wrapping = wrapped(memoryStore());
    wrapping.around = async (method, call) => {
      if (method === "settle") throw new Error("the disk is full");
      return await call();
    };
    const { bus } = fixture([subscribe(Placed, { group: "mail", transaction: false }, () => {})], {
      logger,
      store: wrapping.store,
    });
    await bus.deliver([arriving("m-1")]);
    await bus.deliver([arriving("m-1", { body: `{"n":2}` })]);
    const lines = logger.lines.filter((line) => line.startsWith("error "));
    const isFound = (form: RegExp) => lines.some((line) => form.test(line));
    assert.ok(isFound(/^error Atlast: error during \w+: Error: the disk is full\n +at /), lines[0]);
    const rejected = /^error Atlast: "order\.placed" \(inbox id m-1.*is rejected: /;
    assert.ok(isFound(rejected), lines.join());
  });

  it("has the failures of an app without a store", async () => {
    const logger = new Kept();
    const handler = () => {
      throw new Error("no address");
    };
    const app = createStatelessApp([subscribe(Placed, { group: "mail" }, handler)], {
      verify: pushed,
      logger,
    });
    const { id, name, contentType, body } = arriving("m-1");
    const headers = { "cap-msg-id": id, "cap-msg-name": name, "content-type": contentType };
    await app.request("/deliver", { method: "POST", headers, body: String(body) });
    assert.match(
      logger.lines.join("\n"),
      /"order\.placed" \(inbox id m-1, group mail\).*no address\n +at /,
    );
  });

  it("shows errors, their causes and events after redact", async () => {
    const redact = (text: string) => text.replaceAll(SECRET, "…");
    const thrown = () =>
      Object.assign(new Error(`password ${SECRET}`, { cause: new Error(`also ${SECRET}`) }), {
        name: `Denied ${SECRET}`,
      });
    const { lines, observed } = await logOf(thrown, { redact });
    assert.doesNotMatch(lines.join(), /hunter2/);
    assert.match(lines[0]!, /Denied …: password …\n[^]*sendMail[^]*caused by Error: also …/);
    const error = observed.all("retrying")[0]?.error as Error;
    assert.equal(error.message, "password …");
    assert.equal(error.name, "Denied …");
    assert.match(error.stack ?? "", /sendMail/);
    assert.doesNotMatch(`${error.stack} ${(error.cause as Error).stack}`, /hunter2/);
  });

  it("has path and expectation of an invalid body, and none of its values", async () => {
    const logger = new Kept();
    const Order = defineMessage("order.opened", {
      body: z.object({ qty: z.number().min(1), lines: z.array(z.object({ sku: z.string() })) }),
    });
    const { bus } = fixture([subscribe(Order, { group: "mail" }, () => {})], { logger });
    const body = JSON.stringify({ qty: 0, lines: [{ sku: { card: SECRET } }] });
    await bus.deliver([arriving("m-1", { name: Order.name, body })]);
    const [line = ""] = logger.lines;
    assert.match(
      line,
      /Cannot accept the body of "order\.opened": want number at least 1 at qty; want string at lines\[0\]\.sku\n/,
    );
    assert.doesNotMatch(line, /hunter2|card/);
  });

  it("lets no text of an error begin a line or control the terminal", async () => {
    const { lines } = await logOf(() => new Error("a\nAtlast: all is well\r\u001b[2J"));
    assert.doesNotMatch(lines[0]!, /^Atlast: all/m);
    assert.match(lines[0]!, /\n {4}Atlast: all is well {2}\[2J/);
  });

  it("does not disturb the bus when the logger fails", async () => {
    const failing = {
      error: () => Promise.reject(new Error("the log is full")),
      warn: () => {
        throw new Error("the log is full");
      },
    };
    const { observed } = await logOf(() => new Error("no"), { logger: failing });
    assert.equal(observed.all("retrying").length, 1);
    const final = await logOf(() => new NonRetryable("no"), { logger: failing });
    assert.equal(final.observed.all("failed").length, 1);
  });

  it("wants a logger", () => {
    for (const logger of [true, "console", {}, () => {}, null]) {
      const make = () => fixture([], { logger: logger as unknown as Logger });
      assert.throws(make, { code: "invalid_option", message: /logger/ });
    }
  });
});
