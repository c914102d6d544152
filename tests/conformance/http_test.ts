import { httpTransport, verifySignature } from "../../adapters/http/mod.ts";
import { createApp } from "../../edge/mod.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import { KEY } from "../support/http.ts";
import { serve } from "../support/serve.ts";
import { ROUTED } from "../../devtools/conformance/transport/subject.ts";
import { testTransport } from "./test_suites.ts";

for (const format of ["batch", "message"] as const) {
  testTransport(`HTTP transport, format ${format}`, {
    async open(receiver) {
      const bus = Object.assign(new FakeReceiver(), {
        subscribes: receiver.subscribes.bind(receiver),
        deliver: receiver.deliver.bind(receiver),
      });
      const app = createApp(bus, { verify: verifySignature({ signingKeys: [KEY] }) });
      const server = await serve(app.fetch);
      const transport = httpTransport({
        routes: { [ROUTED]: `${server.origin}/deliver` },
        signingKeys: [KEY],
        format,
      });
      return {
        transport,
        async close() {
          await transport.close();
          await server.close();
        },
      };
    },
  });
}
