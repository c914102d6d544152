/**
 * The bank in Redis, in a database of its own: `accounts:opening` and `accounts:balance` have cents by customer,
 * `payments` lists what was taken. Nothing here keeps a payment from being taken twice: the fence does,
 * and the reconciliation finds out whether it did.
 *
 * @module
 */
import type { RedisTransaction } from "@atlast/bus/upstash-redis";
import type { Redis } from "@upstash/redis";
import { type Bank, NotEnoughMoney } from "../services/business_data.ts";
import type { Account } from "../order_plan.ts";
import type { Row } from "../reconciliation/table_reader.ts";

/** Runs after the fence in the same script. */
const TAKE = `
  local balance = redis.call("HGET", KEYS[1], ARGV[1]) or "0"
  if tonumber(balance) < tonumber(ARGV[2]) then return cancel("short") end
  redis.call("HINCRBY", KEYS[1], ARGV[1], "-" .. ARGV[2])
  redis.call("RPUSH", KEYS[2], ARGV[3])`;

/** The bank. It needs only the transaction. */
export const redisBank: Bank<RedisTransaction> = {
  async take(tx, { paymentId, orderId, customerId, cents }) {
    const row = { payment_id: paymentId, order_id: orderId, customer_id: customerId, cents };
    const { committed } = await tx.commit({
      script: TAKE,
      keys: ["accounts:balance", "payments"],
      args: [customerId, cents, JSON.stringify(row)],
    });
    if (!committed) throw new NotEnoughMoney(customerId, cents);
  },
};

/** Opens the accounts that do not exist. */
export async function openAccounts(redis: Redis, accounts: readonly Account[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { customerId, cents } of accounts) {
    pipeline.hsetnx("accounts:opening", `${customerId}`, cents);
    pipeline.hsetnx("accounts:balance", `${customerId}`, cents);
  }
  await pipeline.exec();
}

/** Every account. */
export async function readAccounts(redis: Redis): Promise<Row[]> {
  const [opening, balance] = await Promise.all([
    redis.hgetall<Record<string, number>>("accounts:opening"),
    redis.hgetall<Record<string, number>>("accounts:balance"),
  ]);
  return Object.entries(opening ?? {}).map(([id, cents]) => ({
    customer_id: Number(id),
    opening_cents: cents,
    balance_cents: balance?.[id] ?? null,
  }));
}
