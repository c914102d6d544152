/**
 * A crash run over QStash: an emulator of it in this process, which calls the doors of the services. It is not killed: it
 * keeps nothing when it ends.
 *
 * @module
 */
import { QSTASH_PLANS, serveQstashEmulator } from "@atlast/bus/qstash/emulator";
import { CuttingProxy } from "../cutting_proxy.ts";
import type { Carrier } from "./carrier.ts";
import { urlOf } from "./http.ts";

const TOKEN = "atlast_crash_token";

/** Starts the emulator. */
export async function qstashCarrier(): Promise<Carrier> {
  /** Messages that were neither delivered nor given up. */
  const pending = new Set<string>();
  const { url, emulator, close } = await serveQstashEmulator({
    token: TOKEN,
    plan: "payg",
    limits: { ...QSTASH_PLANS.payg, parallelism: 1_000 },
    onEvent({ messageId, state }) {
      if (state === "CREATED") pending.add(messageId);
      if (state === "DELIVERED" || state === "FAILED") pending.delete(messageId);
    },
  });
  const door = await CuttingProxy.start(() => [Number(new URL(url).port)]);
  return {
    doorsLeadTo: null,
    configOf: (service, doors) => ({
      kind: "qstash",
      baseUrl: urlOf(door.port),
      token: TOKEN,
      keys: emulator.keys,
      peerUrl: urlOf(service === "orders" ? doors.stock : doors.orders),
      ownUrl: urlOf(doors[service]),
    }),
    // What it gives up has failed in the outbox of its publisher.
    standing: () => Promise.resolve({ unsettled: pending.size, failed: 0 }),
    crash: () => Promise.resolve(),
    async stop() {
      await close();
      await door.stop();
    },
  };
}
