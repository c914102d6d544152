/**
 * Decides which faults happen. The same seed, order and attempt always have the same fault.
 *
 * @module
 */
import { seededRandom } from "./seeded_random.ts";
import { DeductQty, MarkStatus, PaymentTaken, ReturnQty } from "../contracts.ts";
import { planOrders } from "../order_plan.ts";
import type { ServiceName } from "../services/service_event.ts";

/** What a transport does to a message. */
export type TransportFault =
  /** It is never sent. */
  | "lost"
  /** It arrives, but the answer is lost, so that the sender sends it again. */
  | "answer_lost"
  /** It arrives twice. */
  | "doubled";

/** When a handler crashes: before its writes, or after them and before they commit. */
export type HandlerFault = "before" | "after";

/** What happens to a payment. */
export type PaymentFault =
  /** The bank fails after its writes, and rolls them back. */
  | "rolled_back"
  /** Its outcome does not reach the store that keeps the message. */
  | "outcome_lost";

/** A service that is killed once, in the middle of an order. */
export interface Kill {
  /** Who is killed. */
  readonly service: ServiceName;
  /** At which order. */
  readonly order: number;
  /**
   * `deducted`: its goods are deducted and not yet committed. `prepared`: its payment is prepared and not
   * yet started. `paid`: its payment is committed in the bank and not yet confirmed.
   */
  readonly step: "deducted" | "prepared" | "paid";
}

/** How many attempts can have a fault. Later ones have none, so that no order fails because of faults. */
const FAULTY_ATTEMPTS = 2;

/** The share of messages with each fault, in percent. */
const PERCENT = {
  lost: 6,
  answer_lost: 5,
  doubled: 4,
  before: 4,
  after: 4,
  rolled_back: 5,
  outcome_lost: 5,
};

/** What the transport does to the message `name` of an order when it is sent for the `attempt`th time. */
export function transportFault(
  seed: number,
  name: string,
  orderId: number,
  attempt: number,
): TransportFault | null {
  return drawFault(["lost", "answer_lost", "doubled"], seed, "transport", name, orderId, attempt);
}

/** What the handler of the message `name` of an order does in its `attempt`th attempt. */
export function handlerFault(
  seed: number,
  name: string,
  orderId: number,
  attempt: number,
): HandlerFault | null {
  return drawFault(["before", "after"], seed, "handler", name, orderId, attempt);
}

/** What happens to the `attempt`th payment of an order. */
export function paymentFault(seed: number, orderId: number, attempt: number): PaymentFault | null {
  return drawFault(
    ["rolled_back", "outcome_lost"],
    seed,
    "bank",
    PaymentTaken.name,
    orderId,
    attempt,
  );
}

/**
 * Plans the kills of a run: the order service early and late, the inventory service in the middle, each at
 * an order without another fault. A kill is left out if there is no such order.
 */
export function planKills(seed: number, orders: number): Kill[] {
  const ordinary = planOrders(seed, orders).filter(({ kind }) => kind === "ordinary")
    .map(({ orderId }) => orderId);
  const deducted = ordinary.filter((order) =>
    handlerFault(seed, DeductQty.name, order, 1) === null
  );
  const payable = ordinary.filter((order) => paymentFault(seed, order, 1) === null);
  const at = (fit: readonly number[], from: number, kill: Omit<Kill, "order">): Kill[] => {
    const order =
      fit[Math.floor(fit.length * (from + 0.15 * seededRandom(seed, "kill", kill.step)))];
    return order === undefined ? [] : [{ ...kill, order }];
  };
  return [
    ...at(payable, 0.1, { service: "orders", step: "prepared" }),
    ...at(deducted, 0.4, { service: "inventory", step: "deducted" }),
    ...at(payable, 0.65, { service: "orders", step: "paid" }),
  ];
}

/** Lists every fault of a run in words. The same seed gives the same list. */
export function listFaults(seed: number, orders: number): string[] {
  const faults = planKills(seed, orders).map(({ service, order, step }) =>
    `kill ${service} at order ${order}, ${step}`
  );
  const add = (fault: string | null, name: string, orderId: number, attempt: number) => {
    if (fault !== null) faults.push(`${fault} ${name} of order ${orderId}, attempt ${attempt}`);
  };
  for (const { orderId } of planOrders(seed, orders)) {
    for (let attempt = 1; attempt <= FAULTY_ATTEMPTS; attempt++) {
      for (const { name } of [DeductQty, MarkStatus, PaymentTaken, ReturnQty]) {
        add(transportFault(seed, name, orderId, attempt), name, orderId, attempt);
        add(handlerFault(seed, name, orderId, attempt), name, orderId, attempt);
      }
      add(paymentFault(seed, orderId, attempt), "payment", orderId, attempt);
    }
  }
  return faults;
}

function drawFault<Fault extends keyof typeof PERCENT>(
  faults: readonly Fault[],
  seed: number,
  where: string,
  name: string,
  orderId: number,
  attempt: number,
): Fault | null {
  if (attempt > FAULTY_ATTEMPTS) return null;
  let left = seededRandom(seed, where, name, orderId, attempt) * 100;
  for (const fault of faults) {
    left -= PERCENT[fault];
    if (left < 0) return fault;
  }
  return null;
}
