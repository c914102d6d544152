/**
 * A running bus whose sends were quick so far, for tests of messages that wait in it.
 *
 * @module
 */
import type { Bus } from "../../mod.ts";
import { Placed, type Tx } from "./bus_fixture.ts";
import { type FakeTransport, SENT } from "./fake_transport.ts";

/** Starts a bus, and has it send one message at once, so that it claims more than it sends at once. */
export async function startQuick(bus: Bus<Tx>, transport: FakeTransport): Promise<void> {
  const { sender } = transport;
  transport.sender = () => SENT;
  await bus.start();
  await bus.publish(Placed, { n: 0 }, { id: "quick" });
  await bus.tick();
  transport.sender = sender;
  transport.batches.length = 0;
}
