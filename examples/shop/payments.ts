/**
 * The payment service: takes payments in a database of its own. Its half messages are kept by the order
 * service; it has no bus.
 *
 * @module
 */
import { createClient } from "@atlast/bus/client";
import { createCheckBackApp } from "@atlast/bus/edge";
import { verifySignature } from "@atlast/bus/http";
import { postgresFence } from "@atlast/bus/postgres";
import { Hono } from "hono";
import { OrderPaid } from "./contracts.ts";
import type { ServiceApp, ServiceParts } from "./service_parts.ts";

/** The name of this participant, by which the order service finds its check-back. */
const PARTICIPANT = "payments";

/** Creates the service. */
export function createPaymentService({ settings, sql }: ServiceParts): ServiceApp {
  const signingKeys = settings.SIGNING_KEYS;
  const fence = postgresFence(sql, { migrate: false });
  const url = `${settings.ORDERS_URL}/atlast/half`;
  const client = createClient({ url, signingKeys, participant: PARTICIPANT, fence });

  const app = new Hono();
  app.post("/payments", async (c) => {
    const payment = OrderPaid.body.safeParse(await c.req.json().catch(() => null));
    if (!payment.success) return c.json({ error: "This is no payment" }, 400);
    const { orderId, cents } = payment.data;
    // One order is paid once: the same id again is the same message, and runs nothing.
    const id = `payment-${orderId}`;
    const { outcome } = await client.transact(OrderPaid, payment.data, async (tx) => {
      await tx`insert into payments (order_id, cents) values (${orderId}, ${cents})`;
    }, { id });
    return c.json({ outcome }, outcome === "committed" ? 201 : 202);
  });
  const verify = verifySignature({ signingKeys });
  const checkBacks = createCheckBackApp<Hono>(fence, {
    participant: PARTICIPANT,
    signingKeys,
    verify,
  });
  return { app: app.route("/atlast", checkBacks), prune: () => client.prune() };
}
