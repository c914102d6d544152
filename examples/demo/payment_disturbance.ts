/**
 * Faults for payments: a fence in whose transactions the operation fails or the process stands still to
 * be killed, and a store that outcomes do not always reach.
 *
 * @module
 */
import type { Fence, Store } from "@atlast/bus";
import type { Settlement } from "@atlast/bus/ports";
import { type Kill, paymentFault } from "./fault_plan.ts";
import { paymentOf } from "./payment_id.ts";
import type { ServiceEvent } from "./service_event.ts";

type Tell = (event: ServiceEvent) => void;

/**
 * A fence over another that does to each payment what the plan says, and tells of check-backs.
 *
 * @param rollsBack Whether the business database takes back what was written; where not, it fails before that.
 */
export function disturbedFence<BankTx extends object>(
  inner: Fence<BankTx>,
  seed: number,
  kills: readonly Kill[],
  tell: Tell,
  { rollsBack }: { readonly rollsBack: boolean },
): Fence<BankTx> {
  const ids = new WeakMap<object, string>();

  function failIf(id: string): void {
    if (faultOf(id, seed) !== "rolled_back") return;
    tell({ kind: "rolled_back", order: paymentOf(id)?.orderId ?? null });
    throw new Error("The bank failed");
  }

  async function killedIf(step: Kill["step"], id: string): Promise<void> {
    const kill = kills.find((own) => own.step === step && own.order === paymentOf(id)?.orderId);
    if (kill === undefined) return;
    tell({ kind: "to_be_killed", ...kill });
    await new Promise(() => {});
  }

  return {
    ready: () => inner.ready(),
    writtenBefore: (beforeMs, after, limit) => inner.writtenBefore(beforeMs, after, limit),
    prune: (ids) => inner.prune(ids),
    async commit(id, nowMs, tx) {
      await killedIf("prepared", id);
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
      await killedIf("paid", id);
      return result;
    },
    async check(question, signal) {
      const answer = await inner.check(question, signal);
      const order = paymentOf(question.id)?.orderId ?? null;
      // Epoch 0 is the cashier's own question after an error, not a check-back's.
      if (question.epoch > 0 && answer === "committed") tell({ kind: "found_taken", order });
      if (question.epoch > 0 && answer === "aborted") tell({ kind: "found_aborted", order });
      return answer;
    },
  };
}

/** A store over another that some outcomes of payments do not reach. */
export function losingOutcomes<Tx>(inner: Store<Tx>, seed: number, tell: Tell): Store<Tx> {
  const settle: Store<Tx>["settle"] = async (box, settlements, ...rest) => {
    const lost = settlements.find((own) =>
      isOutcome(own) && faultOf(own.key.id, seed) === "unheard"
    );
    if (lost === undefined) return await inner.settle(box, settlements, ...rest);
    tell({ kind: "unheard", order: paymentOf(lost.key.id)?.orderId ?? null });
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

/** An outcome that the participant brings, whoever may hold a claim; a check-back settles its own claim. */
function isOutcome({ claimed }: Settlement): boolean {
  return claimed === "either";
}

function faultOf(id: string, seed: number) {
  const payment = paymentOf(id);
  return payment === null ? null : paymentFault(seed, payment.orderId, payment.attempt);
}
