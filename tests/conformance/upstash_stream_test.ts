import { randomUUID } from "node:crypto";
import { after, before, describe } from "node:test";
import { upstashStreamTransport } from "../../adapters/upstash_redis/mod.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../support/upstash_redis.ts";
import { ROUTED } from "../../devtools/conformance/transport/subject.ts";
import { testTransport } from "./test_suites.ts";

for (const automaticDeserialization of [true, false]) {
  describe(`client with automaticDeserialization ${automaticDeserialization}`, () => {
    let upstash: UpstashRedis;
    const unavailable = redisProblem();
    before(async () => {
      if (unavailable === null) upstash = await startUpstashRedis();
    });
    after(async () => await upstash?.stop());

    testTransport("Upstash stream transport", {
      unavailable,
      skip: [{
        reason:
          "a stream has a message once it is sent, and the sender hears nothing of its receivers",
        tests: [
          "what the receiver says it did not take has not arrived",
          "what got no answer, or an error, may have arrived",
        ],
      }],
      async open() {
        const transport = upstashStreamTransport({
          redis: upstash.connect({ automaticDeserialization }),
          prefix: randomUUID(),
          group: "g",
          names: [ROUTED],
        });
        // A stream is there once a subscriber has started.
        const { signal } = new AbortController();
        const request = { patterns: [ROUTED], limit: 1, nowMs: Date.now(), signal };
        await transport.pull(request, () => Promise.resolve([]));
        return {
          transport,
          async parked() {
            const parked = await transport.parked();
            return new Map(parked.map(({ id, reason }) => [id ?? "", reason]));
          },
          close: () => transport.close(),
        };
      },
    });
  });
}
