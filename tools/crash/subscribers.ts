/**
 * The handlers of both services in the crash run. Some runs fail on purpose after their write, deadlock, or
 * cannot be serialized.
 *
 * @module
 */
import { subscribe, type Subscriber } from "@atlast/bus";
import { Audit, Deduct, Deducted, GROUPS, Ship } from "./business.ts";
import { counted } from "./failures.ts";
import type { ServiceName } from "./protocol.ts";
import type { WorkerStore } from "./worker_stores/worker_store.ts";

/** The most audits in one transaction. */
const MAX_BATCH = 20;
/** The share of runs that fail on purpose. */
const FAILING = 0.02;
/** The share of runs that change two rows in a random order. */
const CONTENDING = 0.04;

/** The subscribers of a service. */
export function subscribersOf<Tx>(
  service: ServiceName,
  { affect, contend }: Pick<WorkerStore<Tx>, "affect" | "contend">,
  random: () => number,
): Subscriber<Tx>[] {
  const effect = async (name: string, orderId: string, messageId: string, tx: Tx) => {
    await affect(tx, { name, orderId, messageId });
    if (random() < FAILING) throw new Error("On purpose, after the write");
  };
  if (service === "orders") {
    return [
      subscribe<typeof Deducted, Tx>(
        Deducted,
        { group: GROUPS.deducted },
        ({ orderId }, { tx, message }) =>
          counted(() => effect(Deducted.name, orderId, message.id, tx)),
      ),
    ];
  }
  return [
    subscribe<typeof Deduct, Tx>(
      Deduct,
      { group: GROUPS.deduct },
      ({ orderId }, { tx, message }) =>
        counted(async () => {
          if (random() < CONTENDING) await contend(tx, random);
          await effect(Deduct.name, orderId, message.id, tx);
          return { orderId };
        }),
    ),
    subscribe<typeof Audit, Tx>(
      Audit,
      { group: GROUPS.audit, maxBatch: MAX_BATCH },
      ({ orderId }, { tx, message }) => counted(() => effect(Audit.name, orderId, message.id, tx)),
    ),
    subscribe<typeof Ship, Tx>(
      Ship,
      { group: GROUPS.ship },
      ({ orderId }, { tx, message }) => counted(() => effect(Ship.name, orderId, message.id, tx)),
    ),
  ];
}
