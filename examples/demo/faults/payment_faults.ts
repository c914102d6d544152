/**
 * Adds faults to payments: a fence whose transactions fail or wait until the process is killed, and a store
 * that does not receive every outcome.
 *
 * @module
 */
import type { Fence, Store } from "@atlast/bus/ports";
import type { Settlement } from "@atlast/bus/ports";
import { type Kill, paymentFault } from "./fault_plan.ts";
import { parsePaymentId } from "../services/payment_id.ts";
import type { ServiceEvent } from "../services/service_event.ts";

type Emit = (event: ServiceEvent) => void;

/**
 * Wraps a fence in one with the faults of the plan, which also reports check-backs.
 *
 * @param rollsBack Whether the business database rolls back; if not, the payment fails before its writes.
 */
export function addFenceFaults<BankTx extends object>(
  inner: Fence<BankTx>,
  seed: number,
  kills: readonly Kill[],
  emit: Emit,
  { rollsBack }: { readonly rollsBack: boolean },
): Fence<BankTx> {
  const ids = new WeakMap<object, string>();

  function failIf(id: string): void {
    if (drawFault(id, seed) !== "rolled_back") return;
    emit({ kind: "rolled_back", order: parsePaymentId(id)?.orderId ?? null });
    throw new Error("The bank failed");
  }

  async function waitToBeKilled(step: Kill["step"], id: string): Promise<void> {
    const kill = kills.find((own) =>
      own.step === step && own.order === parsePaymentId(id)?.orderId
    );
    if (kill === undefined) return;
    emit({ kind: "to_be_killed", ...kill });
    await new Promise(() => {});
  }

  return {
    ready: () => inner.ready(),
    writtenBefore: (beforeMs, after, limit) => inner.writtenBefore(beforeMs, after, limit),
    outcomes: (ids) => inner.outcomes(ids),
    prune: (ids) => inner.prune(ids),
    async commit(id, nowMs, tx) {
      await waitToBeKilled("prepared", id);
      ids.set(tx, id);
      await inner.commit(id, nowMs, tx);
      if (!rollsBack) failIf(id);
    },
    async transaction(work) {
      let id = "";
      const result = await inner.transaction(async (tx) => {
        const result = await work(tx);
        id = ids.get(tx) ?? "";
        if (rollsBack) failIf(id);
        return result;
      });
      await waitToBeKilled("paid", id);
      return result;
    },
    async check(question, signal) {
      const answer = await inner.check(question, signal);
      const order = parsePaymentId(question.id)?.orderId ?? null;
      // Epoch 0 is the question of `transact` after an error, not of a check-back.
      if (question.epoch > 0 && answer === "committed") emit({ kind: "found_taken", order });
      if (question.epoch > 0 && answer === "aborted") emit({ kind: "found_aborted", order });
      return answer;
    },
  };
}

/** Wraps a store in one that some outcomes of payments do not reach. */
export function addLostOutcomes<Tx>(inner: Store<Tx>, seed: number, emit: Emit): Store<Tx> {
  const settle: Store<Tx>["settle"] = async (box, settlements, ...rest) => {
    const lost = settlements.find((own) =>
      isOutcome(own) && drawFault(own.key.id, seed) === "outcome_lost"
    );
    if (lost === undefined) return await inner.settle(box, settlements, ...rest);
    emit({ kind: "outcome_lost", order: parsePaymentId(lost.key.id)?.orderId ?? null });
    throw new Error("The outcome did not reach the store");
  };
  return new Proxy(inner, {
    get(target, name) {
      if (name === "settle") return settle;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Whether the participant reports an outcome. It needs no claim, whereas a check-back settles its own. */
function isOutcome({ guard }: Settlement): boolean {
  return guard === "anyone";
}

function drawFault(id: string, seed: number) {
  const payment = parsePaymentId(id);
  return payment === null ? null : paymentFault(seed, payment.orderId, payment.attempt);
}
