import { FakeStream } from "../support/fake_stream.ts";
import { ROUTED } from "../../devtools/conformance/transport/subject.ts";
import { testTransport } from "./test_suites.ts";

// The suite itself: that a transport which must be pulled can pass all of it.
testTransport("stream in memory", {
  skip: [{
    reason: "a stream has a message once it is sent, and the sender hears nothing of its receivers",
    tests: [
      "what the receiver says it did not take has not arrived",
      "what got no answer, or an error, may have arrived",
    ],
  }],
  open() {
    const stream = new FakeStream(["g"], [ROUTED]);
    const transport = stream.transport("g");
    return Promise.resolve({
      transport,
      parked: () => Promise.resolve(stream.parked),
      close: () => transport.close(),
    });
  },
});
