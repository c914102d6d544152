/**
 * Adds faults to the messages of a service: a transport that loses and doubles them, and handlers that
 * crash. An observer reports what happens.
 *
 * @module
 */
import type { BusEvent, ConsumeMiddleware, Message } from "@atlast/bus";
import type { SendResult, Transport } from "@atlast/bus/ports";
import type * as z from "zod";
import { DeductQty, type MarkStatus, OrderStuck, PaymentTaken, ReturnQty } from "../contracts.ts";
import { handlerFault, type Kill, transportFault } from "./fault_plan.ts";
import type { ServiceEvent } from "../services/service_event.ts";

type Emit = (event: ServiceEvent) => void;

/** Wraps a transport in one with the faults of the plan. */
export function addTransportFaults(inner: Transport, seed: number, emit: Emit): Transport {
  const attempts = new Map<string, number>();

  function faultOf(message: Message) {
    const order = readOrderId(message);
    if (order === null) return null;
    const attempt = (attempts.get(message.id) ?? 0) + 1;
    attempts.set(message.id, attempt);
    const fault = transportFault(seed, message.name, order, attempt);
    if (fault !== null) emit({ kind: fault, order });
    return fault;
  }

  return {
    capabilities: inner.capabilities,
    routes: (name) => inner.routes(name),
    close: (receiver) => inner.close(receiver),
    async send(messages, signal) {
      const faults = messages.map(faultOf);
      const leaving = messages.filter((_, i) => faults[i] !== "lost");
      const results = leaving.length === 0 ? [] : await inner.send(leaving, signal);
      const again = messages.filter((_, i) => faults[i] === "doubled");
      if (again.length > 0) await inner.send(again, signal);
      return messages.map((message, i): SendResult => {
        const fault = faults[i];
        if (fault === "lost") return createFailure("The request was lost");
        if (fault === "answer_lost") return createFailure("The answer was lost");
        return results[leaving.indexOf(message)] as SendResult;
      });
    },
  };
}

/** Creates the middleware that makes handlers crash as planned. At the deduction of a planned kill it waits to
 * be killed. */
export function addHandlerFaults<Tx>(
  seed: number,
  kills: readonly Kill[],
  emit: Emit,
  { rollsBack }: { readonly rollsBack: boolean },
): ConsumeMiddleware<Tx> {
  return async (body, { message, attempt }, next) => {
    const order = readOrderId(message);
    if (order === null) return await next(body);
    const fault = handlerFault(seed, message.name, order, attempt);
    if (fault === "before") {
      emit({ kind: "crashed_before", order });
      throw new Error("The handler crashed before its writes");
    }
    const reply = await next(body);
    if (fault === "after") {
      emit({ kind: rollsBack ? "crashed_after" : "crashed_kept", order });
      throw new Error("The handler crashed after its writes");
    }
    const kill = kills.find((own) => own.step === "deducted" && own.order === order);
    if (kill !== undefined && message.name === DeductQty.name) {
      emit({ kind: "to_be_killed", ...kill });
      await new Promise(() => {});
    }
    return reply;
  };
}

/** Reports what happens in a bus. Its events have no bodies, so the middleware notes the orders before. */
export function observeBus<Tx>(
  emit: Emit,
): { observe: (event: BusEvent) => void; watch: ConsumeMiddleware<Tx> } {
  const bodies = new Map<string, Partial<z.infer<typeof MarkStatus.body>>>();
  return {
    async watch(body, { message }, next) {
      bodies.set(message.id, body as object);
      return await next(body);
    },
    observe(event) {
      switch (event.kind) {
        case "redelivered":
          return emit({ kind: "redelivered" });
        case "error":
          return emit({ kind: "error", text: `${event.during}: ${event.error}` });
        case "retrying":
          if (/cannot reach|in time/i.test(event.reason)) emit({ kind: "unreachable" });
          return;
        case "failed": {
          const order = bodies.get(event.id)?.orderId ?? null;
          return emit({ kind: "gave_up", order, attempts: event.attempts });
        }
        case "succeeded": {
          if (event.box === "outbox") return;
          const { orderId: order, isSuccess } = bodies.get(event.id) ?? {};
          bodies.delete(event.id);
          if (event.name === OrderStuck.name) return emit({ kind: "stuck" });
          if (order === undefined) return;
          if (event.name === PaymentTaken.name) return emit({ kind: "succeeded", order });
          if (event.name === ReturnQty.name) return emit({ kind: "returned", order });
          if (isSuccess === false) emit({ kind: "short", order });
        }
      }
    },
  };
}

/** Reads the order of a message; null if it has none, as a failure report. */
function readOrderId({ body }: Message): number | null {
  const { orderId } = JSON.parse(String(body)) as { orderId?: unknown };
  return typeof orderId === "number" ? orderId : null;
}

function createFailure(reason: string): SendResult {
  return { kind: "failed", reason, retryable: true };
}
