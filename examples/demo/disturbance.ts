/**
 * Faults and eyes for a service: a transport that loses and repeats, handlers that crash, and an observer
 * that tells what happens.
 *
 * @module
 */
import type { BusEvent, ConsumeMiddleware, Message, SendResult, Transport } from "@atlast/bus";
import type * as z from "zod";
import { DeductQty, type MarkStatus, OrderStuck, PaymentTaken, ReturnQty } from "./contracts.ts";
import { handlerFault, type Kill, transportFault } from "./fault_plan.ts";
import type { ServiceEvent } from "./service_event.ts";

type Tell = (event: ServiceEvent) => void;

/** A transport over another that does to each message what the plan says. */
export function disturbed(inner: Transport, seed: number, tell: Tell): Transport {
  const attempts = new Map<string, number>();

  function faultOf(message: Message) {
    const order = orderOf(message);
    if (order === null) return null;
    const attempt = (attempts.get(message.id) ?? 0) + 1;
    attempts.set(message.id, attempt);
    const fault = transportFault(seed, message.name, order, attempt);
    if (fault !== null) tell({ kind: fault, order });
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
        if (fault === "lost") return failed("The request was lost");
        if (fault === "answer_lost") return failed("The answer was lost");
        return results[leaving.indexOf(message)] as SendResult;
      });
    },
  };
}

/** Handlers that crash as planned, whose writes are rolled back or not. Where a deduction is among the kills, the process is to be killed. */
export function crashing<Tx>(
  seed: number,
  kills: readonly Kill[],
  tell: Tell,
  { rollsBack }: { readonly rollsBack: boolean },
): ConsumeMiddleware<Tx> {
  return async (body, { message, attempt }, next) => {
    const order = orderOf(message);
    if (order === null) return await next(body);
    const fault = handlerFault(seed, message.name, order, attempt);
    if (fault === "before") {
      tell({ kind: "crashed_before", order });
      throw new Error("The handler crashed before its writes");
    }
    const reply = await next(body);
    if (fault === "after") {
      tell({ kind: rollsBack ? "crashed_after" : "crashed_kept", order });
      throw new Error("The handler crashed after its writes");
    }
    const kill = kills.find((own) => own.step === "deducted" && own.order === order);
    if (kill !== undefined && message.name === DeductQty.name) {
      tell({ kind: "to_be_killed", ...kill });
      await new Promise(() => {});
    }
    return reply;
  };
}

/** Tells what happens in a bus. Its events have no bodies, so which order they are about is noted before. */
export function watching<Tx>(
  tell: Tell,
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
          return tell({ kind: "redelivered" });
        case "error":
          return tell({ kind: "error", text: `${event.during}: ${event.error}` });
        case "retrying":
          if (/cannot reach|in time/i.test(event.reason)) tell({ kind: "unreachable" });
          return;
        case "failed": {
          const order = bodies.get(event.id)?.orderId ?? null;
          return tell({ kind: "gave_up", order, attempts: event.attempts });
        }
        case "succeeded": {
          if (event.box === "outbox") return;
          const { orderId: order, isSuccess } = bodies.get(event.id) ?? {};
          bodies.delete(event.id);
          if (event.name === OrderStuck.name) return tell({ kind: "stuck" });
          if (order === undefined) return;
          if (event.name === PaymentTaken.name) return tell({ kind: "succeeded", order });
          if (event.name === ReturnQty.name) return tell({ kind: "returned", order });
          if (isSuccess === false) tell({ kind: "short", order });
        }
      }
    },
  };
}

/** The order a message is about; null for one that names none, such as a failure report. */
function orderOf({ body }: Message): number | null {
  const { orderId } = JSON.parse(String(body)) as { orderId?: unknown };
  return typeof orderId === "number" ? orderId : null;
}

function failed(reason: string): SendResult {
  return { kind: "failed", reason, retryable: true };
}
