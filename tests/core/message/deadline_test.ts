import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { deadlineOnArrival, deadlineOnWire, withTimeLeft } from "../../../core/message/deadline.ts";
import { messageFromWire, wireHeaders } from "../../../core/message/headers.ts";
import type { Message } from "../../../core/message/message.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_764_000_000_000;
const MESSAGE: Message = {
  id: "m-1",
  name: "order.placed",
  headers: {},
  contentType: "application/json",
  body: "{}",
  sentAtMs: NOW_MS,
};

const received = (message: Message, nowMs: number): Message =>
  messageFromWire(wireHeaders(message), message.body, nowMs);

describe("a deadline on its way", () => {
  it("is counted on the receiver's clock where the message is delivered at once", () => {
    const time = fc.nat(10 ** 12);
    const skew = fc.integer({ min: -(10 ** 10), max: 10 ** 10 });
    holds(fc.property(time, skew, (leftMs, skewMs) => {
      const sent = withTimeLeft({ ...MESSAGE, ...deadlineOnWire(NOW_MS + leftMs, NOW_MS) });
      const arrived = received(sent, NOW_MS + skewMs);
      assert.equal(arrived.deadlineMs, undefined);
      const deadlineMs = deadlineOnArrival(arrived, NOW_MS + skewMs, 60_000);
      assert.equal(deadlineMs, NOW_MS + skewMs + Math.max(leftMs, 1));
    }));
  });

  it("is the publisher's own time where a queue carries the message, with the tolerance", () => {
    const sent = { ...MESSAGE, ...deadlineOnWire(NOW_MS + 5_000, NOW_MS) };
    assert.equal(wireHeaders(sent)["atlast-time-left"], undefined);
    for (const laterMs of [0, 10_000, 10 ** 9]) {
      const arrived = received(sent, NOW_MS + laterMs);
      assert.equal(deadlineOnArrival(arrived, NOW_MS + laterMs, 60_000), NOW_MS + 65_000);
    }
  });

  it("has passed for a message with no time left", () => {
    const sent = withTimeLeft({ ...MESSAGE, ...deadlineOnWire(NOW_MS - 1, NOW_MS) });
    assert.equal(wireHeaders(sent)["atlast-time-left"], "0");
    assert.equal(deadlineOnArrival(received(sent, NOW_MS), NOW_MS, 60_000), NOW_MS - 1);
  });

  it("is none without the headers, with invalid ones, and beyond the year 9999", () => {
    const headers = { "atlast-deadline": "tomorrow", "atlast-time-left": "-5" };
    const arrived = messageFromWire({ ...wireHeaders(MESSAGE), ...headers }, "{}", NOW_MS);
    for (const message of [MESSAGE, arrived]) {
      assert.equal(deadlineOnArrival(message, NOW_MS, 60_000), null);
    }
    assert.deepEqual(arrived.headers["atlast-deadline"], undefined);
    const far = { ...MESSAGE, ...deadlineOnWire(8.64e15, NOW_MS) };
    assert.deepEqual(wireHeaders(far), wireHeaders(MESSAGE));
  });
});
