/**
 * What the sender learns: of each message, in order, and never that it was sent when it was not.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { AbortSignalLike } from "../../../core/ports/platform.ts";
import type { DeliveryResult, Receiver } from "../../../core/ports/transport.ts";
import { hasNotArrived } from "../../../core/ports/arrival.ts";
import {
  isRetried,
  REFUSED,
  ROUTED,
  routed,
  routedMany,
  send,
  SENT,
  STOPPING,
  TestReceiver,
  type TransportCases,
  UNROUTED,
} from "./subject.ts";

const TAKEN: readonly DeliveryResult[] = [
  { kind: "accepted" },
  { kind: "handled", duplicate: false, reply: null },
  { kind: "handled", duplicate: true, reply: '{"a":1}' },
  { kind: "failed", duplicate: false, reason: "its body is no order" },
  { kind: "failed", duplicate: true, reason: "its body is no order" },
];

const results: TransportCases = {
  "results are in the order of the messages, and a refused one fails alone": async ({ start }) => {
    const receiver = new TestReceiver(({ id }) =>
      Number(id.slice(2)) % 3 === 1 ? REFUSED : { kind: "accepted" }
    );
    const transport = await start(receiver);
    const answers = await send(transport, routedMany(20));
    assert.deepEqual(
      answers.map(({ kind }) => kind),
      routedMany(20).map((_, i) => i % 3 === 1 ? "failed" : "sent"),
    );
    const [, refused] = answers;
    assert.ok(refused?.kind === "failed" && refused.retryable);
    assert.equal(refused.retryAfterMs, 2_000);
    assert.match(refused.reason, /busy/);
  },

  "what the other side keeps is sent, whatever became of it there": async ({ start }) => {
    const receiver = new TestReceiver(({ id }) => TAKEN[Number(id.slice(2))] ?? REFUSED);
    const answers = await send(await start(receiver), routedMany(TAKEN.length));
    assert.deepEqual(answers, TAKEN.map(() => SENT));
  },

  "what the other side will never take fails for good, and its neighbours are sent": async (
    { start },
  ) => {
    const receiver = new TestReceiver(({ id }) =>
      id === "m-1" ? { kind: "rejected", reason: "no order" } : { kind: "accepted" }
    );
    const [first, rejected, last] = await send(await start(receiver), routedMany(3));
    assert.deepEqual([first, last], [SENT, SENT]);
    assert.ok(rejected?.kind === "failed" && !rejected.retryable);
    assert.match(rejected.reason, /no order/);
  },

  "what the other side does not subscribe to now is sent again later": async ({ start }) => {
    const transport = await start(new TestReceiver(() => ({ kind: "no_subscriber" })));
    assert.deepEqual((await send(transport, routedMany(2))).map(isRetried), [true, true]);
  },

  "what a stopping receiver does not take is told apart from a failure": async ({ start }) => {
    const receiver = new TestReceiver(({ id }) => id === "m-0" ? STOPPING : REFUSED);
    const answers = await send(await start(receiver), routedMany(2));
    assert.deepEqual(answers.map(({ kind }) => kind), ["stopping", "failed"]);
    const [stopping] = answers;
    assert.ok(stopping?.kind === "stopping" && (stopping.retryAfterMs ?? 0) >= 1_000);
  },

  "what the receiver says it did not take has not arrived": async ({ start }) => {
    const answers = new Map<string, DeliveryResult>([
      ["m-0", REFUSED],
      ["m-1", STOPPING],
      ["m-2", { kind: "rejected", reason: "no order" }],
      ["m-3", { kind: "refused", reason: "half done", arrived: "unknown" }],
      ["m-4", { kind: "rejected", reason: "half done", arrived: "unknown" }],
      ["m-5", { kind: "rejected", reason: "taken", code: "id_conflict" }],
    ]);
    const receiver = new TestReceiver(({ id }) => answers.get(id)!);
    const results = await send(await start(receiver), routedMany(6));
    assert.deepEqual(results.map(hasNotArrived), [true, true, true, false, false, false]);
  },

  "what got no answer, or an error, may have arrived": async ({ start }) => {
    const throws = await start(new TestReceiver(() => Promise.reject(new Error("no store"))));
    const silent: Receiver = {
      subscribes: (name) => name === ROUTED,
      deliver: () => Promise.resolve([]),
    };
    for (const transport of [throws, await start(silent)]) {
      assert.deepEqual((await send(transport, [routed("m-1")])).map(hasNotArrived), [false]);
    }
  },

  "when the receiver throws, each message is sent again later": async ({ start }) => {
    const transport = await start(new TestReceiver(() => Promise.reject(new Error("no store"))));
    assert.deepEqual((await send(transport, routedMany(3))).map(isRetried), [true, true, true]);
  },

  "a message that got no answer is not sent": async ({ start }) => {
    const receiver: Receiver = {
      subscribes: (name) => name === ROUTED,
      deliver: () => Promise.resolve([]),
    };
    assert.deepEqual((await send(await start(receiver), [routed("m-1")])).map(isRetried), [true]);
  },

  "a name without a destination is unroutable, and its neighbours are sent": async ({ start }) => {
    const receiver = new TestReceiver();
    const transport = await start(receiver);
    assert.deepEqual([transport.routes(ROUTED), transport.routes(UNROUTED)], [true, false]);
    const answers = await send(transport, [
      routed("m-0"),
      routed("m-1", { name: UNROUTED }),
      routed("m-2"),
    ]);
    assert.deepEqual(answers.map(({ kind }) => kind), ["sent", "unroutable", "sent"]);
    assert.deepEqual(receiver.messages.map(({ id }) => id).sort(), ["m-0", "m-2"]);
  },

  "a message may be sent again, in the same call and in another": async ({ start }) => {
    const seen = new Set<string>();
    const receiver = new TestReceiver(({ id }) => {
      const duplicate = seen.has(id);
      seen.add(id);
      return { kind: "handled", duplicate, reply: null };
    });
    const transport = await start(receiver);
    const message = routed("m-1");
    assert.deepEqual(await send(transport, [message, routed("m-2"), message]), [SENT, SENT, SENT]);
    assert.deepEqual(await send(transport, [message]), [SENT]);
    assert.deepEqual([...seen].sort(), ["m-1", "m-2"]);
  },

  "calls at the same time do not mix": async ({ start }) => {
    const refuses = (id: string): boolean => /[13579]$/.test(id);
    const receiver = new TestReceiver(({ id }) => refuses(id) ? REFUSED : { kind: "accepted" });
    const transport = await start(receiver);
    const batches = Array.from(
      { length: 6 },
      (_, b) => Array.from({ length: b + 1 }, (_, i) => routed(`${b}-${b + i}`)),
    );
    const answers = await Promise.all(batches.map((batch) => send(transport, batch)));
    assert.deepEqual(
      answers.map((batch) => batch.map(({ kind }) => kind)),
      batches.map((batch) => batch.map(({ id }) => refuses(id) ? "failed" : "sent")),
    );
  },
};

const stopping: TransportCases = {
  "nothing is sent for a signal that was aborted before": async ({ start }) => {
    const receiver = new TestReceiver();
    const transport = await start(receiver);
    const answers = await send(transport, routedMany(2), AbortSignal.abort());
    assert.deepEqual(answers.map(isRetried), [true, true]);
    assert.deepEqual(receiver.messages, []);
  },

  "an abort ends the wait for a receiver that does not answer": async ({ start }) => {
    const stop = new AbortController();
    let end = () => {};
    const mayEnd = new Promise<void>((resolve) => end = resolve);
    const transport = await start(
      new TestReceiver(async () => {
        stop.abort();
        await mayEnd;
        return { kind: "accepted" };
      }),
    );
    const answers = await send(transport, routedMany(2), stop.signal);
    end();
    assert.deepEqual(answers.map(isRetried), [true, true]);
  },

  "no listener stays on the signal": async ({ start }) => {
    const transport = await start(new TestReceiver());
    const listeners = new Set<() => void>();
    const signal: AbortSignalLike = {
      aborted: false,
      reason: undefined,
      addEventListener: (_, listener) => listeners.add(listener),
      removeEventListener: (_, listener) => listeners.delete(listener),
    };
    assert.deepEqual(await transport.send(routedMany(3), signal), [SENT, SENT, SENT]);
    assert.equal(listeners.size, 0);
  },

  "closing twice is as good as once": async ({ start }) => {
    const transport = await start(new TestReceiver());
    await send(transport, routedMany(1));
    await transport.close();
    await transport.close();
  },
};

/** What `send` answers. */
export const resultCases: TransportCases = { ...results, ...stopping };
