/**
 * Which faults happen, as decisions: the same for the same seed, order and attempt, whatever happens
 * around them.
 *
 * @module
 */
import { chance } from "./chance.ts";
import { DeductQty, MarkStatus } from "./contracts.ts";
import { orderPlan } from "./order_plan.ts";

/** What a transport does to a message. */
export type TransportFault =
  /** It never leaves. */
  | "lost"
  /** It arrives, but the sender does not learn of it and sends it again. */
  | "answer_lost"
  /** It arrives twice. */
  | "doubled";

/** When a handler crashes: before its writes, or after them and before they commit. */
export type HandlerFault = "before" | "after";

/** Later attempts go well: these are faults that pass, and no order fails for them alone. */
const FAULTY_ATTEMPTS = 2;

/** How many in a hundred messages have each fault. */
const PERCENT = { lost: 6, answer_lost: 5, doubled: 4, before: 4, after: 4 };

/** What the transport does to the message `name` of an order when it is sent for the `attempt`th time. */
export function transportFault(
  seed: number,
  name: string,
  orderId: number,
  attempt: number,
): TransportFault | null {
  return drawn(["lost", "answer_lost", "doubled"], seed, "transport", name, orderId, attempt);
}

/** What the handler of the message `name` of an order does in its `attempt`th attempt. */
export function handlerFault(
  seed: number,
  name: string,
  orderId: number,
  attempt: number,
): HandlerFault | null {
  return drawn(["before", "after"], seed, "handler", name, orderId, attempt);
}

/**
 * The order at whose deduction the inventory service is killed: one in the middle of the run, which is
 * deducted in the first attempt. Null where there is none such.
 */
export function killedAt(seed: number, orders: number): number | null {
  const fit = orderPlan(seed, orders)
    .filter(({ kind }) => kind === "ordinary")
    .map(({ orderId }) => orderId)
    .filter((orderId) => handlerFault(seed, DeductQty.name, orderId, 1) === null);
  return fit[Math.floor(fit.length * (0.4 + 0.2 * chance(seed, "kill")))] ?? null;
}

/** Every fault of a run: what the seed repeats. */
export function faultPlan(seed: number, orders: number): string[] {
  const faults: string[] = [`kill at ${killedAt(seed, orders)}`];
  for (const { orderId } of orderPlan(seed, orders)) {
    for (const { name } of [DeductQty, MarkStatus]) {
      for (let attempt = 1; attempt <= FAULTY_ATTEMPTS; attempt++) {
        const happens = [
          transportFault(seed, name, orderId, attempt),
          handlerFault(seed, name, orderId, attempt),
        ];
        for (const fault of happens) {
          if (fault !== null) {
            faults.push(`${fault} ${name} of order ${orderId}, attempt ${attempt}`);
          }
        }
      }
    }
  }
  return faults;
}

function drawn<Fault extends keyof typeof PERCENT>(
  faults: readonly Fault[],
  seed: number,
  where: string,
  name: string,
  orderId: number,
  attempt: number,
): Fault | null {
  if (attempt > FAULTY_ATTEMPTS) return null;
  let left = chance(seed, where, name, orderId, attempt) * 100;
  for (const fault of faults) {
    left -= PERCENT[fault];
    if (left < 0) return fault;
  }
  return null;
}
