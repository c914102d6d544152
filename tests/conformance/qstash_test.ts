import { qstashTransport } from "../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../adapters/qstash/verify.ts";
import type { Receiver, Transport } from "../../core/ports/transport.ts";
import { createApp } from "../../edge/mod.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import { virtualQstash } from "../support/qstash.ts";
import { ROUTED } from "../../devtools/conformance/transport/subject.ts";
import { testTransport } from "./test_suites.ts";

const DELIVER_URL = "https://inventory.example/deliver";

for (const format of ["message", "batch"] as const) {
  testTransport(`QStash transport, format ${format}`, {
    skip: [{
      reason: "QStash keeps a message once it has taken it, and does what comes of it by itself",
      tests: [
        "results are in the order of the messages, and a refused one fails alone",
        "what the other side does not subscribe to now is sent again later",
        "what the other side will never take fails for good, and its neighbours are sent",
        "what a stopping receiver does not take is told apart from a failure",
        "what the receiver says it did not take has not arrived",
        "what got no answer, or an error, may have arrived",
        "when the receiver throws, each message is sent again later",
        "a message that got no answer is not sent",
        "what only has the id of an answer fails for good",
        "calls at the same time do not mix",
        "an abort ends the wait for a receiver that does not answer",
      ],
    }],
    open: (receiver) => opened(receiver, format),
  });
}

/** A transport whose messages have been delivered by the time `send` resolves. */
async function opened(receiver: Receiver, format: "message" | "batch") {
  const bus = Object.assign(new FakeReceiver(), {
    subscribes: receiver.subscribes.bind(receiver),
    deliver: receiver.deliver.bind(receiver),
  });
  const qstash = await virtualQstash((_, request) => app.fetch(request));
  const { emulator, clock } = qstash;
  const { current: currentSigningKey, next: nextSigningKey } = emulator.keys;
  const app = createApp(bus, {
    verify: verifyQstash({ currentSigningKey, nextSigningKey, url: DELIVER_URL, clock }),
  });
  const inner = qstashTransport({
    client: qstash.client,
    routes: { [ROUTED]: DELIVER_URL },
    format,
    clock,
  });
  const transport: Transport = {
    capabilities: inner.capabilities,
    routes: (name, headers) => inner.routes(name, headers),
    close: () => inner.close(),
    async send(messages, signal) {
      const results = await inner.send(messages, signal);
      await emulator.settled();
      return results;
    },
  };
  return {
    transport,
    async close() {
      await transport.close();
      await qstash.close();
    },
  };
}
