/**
 * Creates a bus from its options and subscribers.
 *
 * @module
 */
import { ServiceBus } from "./service_bus.ts";
import { settingsOf } from "./settings/read_options.ts";
import type { BusOptions } from "./api/bus_options.ts";
import { aList } from "../core/check_options.ts";
import { aSubscriber, type Subscriber } from "./api/subscriber.ts";
import type { Bus } from "./api/bus.ts";

/**
 * Creates a bus. It does no background work until you call `start()` on a server, or `tick()`
 * elsewhere.
 *
 * @example
 * ```ts
 * import { createBus, defineMessage, subscribe } from "@atlast/bus";
 * import { inProcessTransport, memoryStore } from "@atlast/bus/memory";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 *
 * const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => console.log("placed", orderId)),
 * ]);
 * await bus.publish(OrderPlaced, { orderId: 1 });
 * await bus.tick(); // does all work that is due; a server calls bus.start() instead
 * await bus.stop();
 * ```
 *
 * It prints:
 *
 * ```text
 * placed 1
 * ```
 * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
 */
export function createBus<Tx, BusinessTx = unknown>(
  options: BusOptions<Tx, BusinessTx>,
  subscribers: readonly Subscriber<NoInfer<Tx>>[] = [],
): Bus<Tx, BusinessTx> {
  const settings = settingsOf(options);
  aList(aSubscriber)("subscribers", subscribers, "make a bus with");
  const bus = new ServiceBus<Tx, BusinessTx>(settings);
  for (const subscriber of [...options.subscribers ?? [], ...subscribers]) bus.add(subscriber);
  options.transport?.attach?.(bus);
  return bus;
}
