import { describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type ApiFault,
  type DeliveryAttempt,
  type DeliveryFault,
  seededFaults,
} from "../../../devtools/qstash_emulator/mod.ts";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";

const URL_A = "https://a.example/";

/** Publishes one message under faults for its attempts in order, and gives what came of it. */
async function underFaults(
  faults: readonly (DeliveryFault | undefined)[],
  destination: Destination = () => 200,
): Promise<
  { qstash: VirtualQstashFixture; attempts: DeliveryAttempt[]; times: number[]; states: string[] }
> {
  const attempts: DeliveryAttempt[] = [];
  const qstash = await virtualQstash(destination, {
    faults: { delivery: (attempt) => faults[attempts.push(attempt) - 1] },
  });
  const startMs = qstash.clock.now();
  const { messageId } = await qstash.client.publish({ url: URL_A, retries: 2, retryDelay: "1000" });
  await qstash.emulator.drain();
  const { logs } = await qstash.client.logs({ messageIds: [messageId] });
  await qstash.close();
  return {
    qstash,
    attempts,
    times: qstash.deliveries.map(({ atMs }) => atMs - startMs),
    states: logs.map(({ state }) => state).reverse(),
  };
}

describe("faults of deliveries", () => {
  it("request_lost: the destination does not see it, and it is tried again", async () => {
    const { times, states, attempts } = await underFaults([{ kind: "request_lost" }]);
    assert.deepEqual(times, [1000]);
    assert.deepEqual(states, ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]);
    assert.deepEqual(
      attempts.map(({ retried, count, kind, url }) => [retried, count, kind, url]),
      [[0, 1, "message", URL_A], [1, 2, "message", URL_A]],
    );
  });

  it("answer_lost: the destination sees it, and it is tried again all the same", async () => {
    const { times, states } = await underFaults([{ kind: "answer_lost" }]);
    assert.deepEqual(times, [0, 1000]);
    assert.equal(states.at(-1), "DELIVERED");
  });

  it("duplicate: the destination sees it twice, and the second answer counts", async () => {
    let count = 0;
    const second = (): number => ++count === 2 ? 500 : 200;
    const { times, states, qstash } = await underFaults([{ kind: "duplicate" }], second);
    assert.deepEqual(times, [0, 0, 1000]);
    assert.deepEqual(states.slice(1, 4), ["ACTIVE", "ERROR", "RETRY"]);
    const [one, two] = qstash.deliveries.map(({ headers }) => headers);
    assert.equal(one!.get("upstash-message-id"), two!.get("upstash-message-id"));
    assert.notEqual(one!.get("upstash-signature"), two!.get("upstash-signature"));
  });

  it("duplicate at once: the destination sees both before it has answered either", async () => {
    let active = 0;
    let most = 0;
    const both = Promise.withResolvers<void>();
    const { times } = await underFaults([{ kind: "duplicate", atOnce: true }], async () => {
      most = Math.max(most, ++active);
      if (active === 2) both.resolve();
      await both.promise;
      return 200;
    });
    assert.deepEqual([times, most], [[0, 0], 2]);
  });

  it("delay: it comes later, and is asked for no other fault", async () => {
    const { times, attempts } = await underFaults([{ kind: "delay", delayMs: 7000 }]);
    assert.deepEqual([times, attempts.length], [[7000], 1]);
  });

  it("hang: nothing for as long as the plan allows", async () => {
    const { times } = await underFaults([{ kind: "hang" }]);
    assert.deepEqual(times, [7_200_000 + 1000]);
  });

  it("answer: someone on the way answers", async () => {
    const busy = { status: 503, headers: { "retry-after": "5" } };
    const { times } = await underFaults([{ kind: "answer", ...busy }]);
    assert.deepEqual(times, [5000]);
  });

  it("seededFaults: the same for the same seed, whatever the order of other destinations", () => {
    const attempts = Array.from({ length: 3000 }, (_, i): DeliveryAttempt => ({
      messageId: `msg_${i}`,
      url: `https://a.example/${i % 7}`,
      retried: i % 2,
      count: i + 1,
      kind: "message",
    }));
    const byUrl = Map.groupBy(attempts, ({ url }) => url);
    const faultsOf = (seed: number, order: readonly DeliveryAttempt[]) => {
      const fault = seededFaults({ seed, rate: 1 / 3 });
      const found = new Map(order.map((attempt) => [attempt.messageId, fault(attempt)?.kind]));
      return attempts.map(({ messageId }) => found.get(messageId));
    };
    const found = faultsOf(1, attempts);
    assert.deepEqual(faultsOf(1, [...byUrl.values()].flat()), found);
    assert.notDeepEqual(faultsOf(2, attempts), found);
    const counts = ["request_lost", "answer_lost"].map((kind) =>
      found.filter((one) => one === kind).length
    );
    for (const count of counts) assert.ok(Math.abs(count - 500) < 70, `got ${counts}`);
    assert.equal(faultsOf(1, attempts).filter((one) => one === "hang").length, 0);
  });
});

describe("faults of the API", () => {
  const faults: [ApiFault, boolean][] = [
    [{ kind: "request_lost" }, false],
    [{ kind: "answer_lost" }, true],
    [{ kind: "answer", status: 500, body: "upstream" }, false],
  ];
  for (const [fault, hasEffect] of faults) {
    it(`${fault.kind}: the call fails, and ${hasEffect ? "has" : "has not"} published`, async () => {
      const seen: string[] = [];
      const qstash = await virtualQstash(() => 200, {
        faults: {
          api: ({ method, path, count }) => {
            seen.push(`${method} ${path}`);
            return count === 1 ? fault : undefined;
          },
        },
      });
      try {
        await assert.rejects(qstash.client.publish({ url: "https://a.example//x?y=1" }));
        await qstash.emulator.drain();
        assert.equal(qstash.deliveries.length, hasEffect ? 1 : 0);
        assert.deepEqual(seen, ["POST /v2/publish/https://a.example//x?y=1"]);
      } finally {
        await qstash.close();
      }
    });
  }
});
