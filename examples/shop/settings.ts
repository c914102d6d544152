/**
 * Reads the settings of a service from the platform's variables and secrets.
 *
 * @module
 */
import * as z from "zod";

const Settings = z.object({
  /** Which service this deployment is. */
  SERVICE: z.enum(["orders", "inventory", "payments"]),
  /** The service's own Postgres database. */
  DATABASE_URL: z.url(),
  /** The keys that the services sign their requests with, the newest first, with commas between. */
  SIGNING_KEYS: z.string().transform((keys) => keys.split(",")),
  /** The URLs of the services. */
  ORDERS_URL: z.url(),
  INVENTORY_URL: z.url(),
  PAYMENTS_URL: z.url(),
  /** From the QStash console; without a token the services call each other directly. */
  QSTASH_TOKEN: z.string().optional(),
  QSTASH_URL: z.url().default("https://qstash.upstash.io"),
  QSTASH_CURRENT_SIGNING_KEY: z.string().default(""),
  QSTASH_NEXT_SIGNING_KEY: z.string().default(""),
  /** The delay after the first failed attempt; it doubles with each attempt. */
  RETRY_MS: z.coerce.number().positive().default(1_000),
  /** How long a payment may take before the first check-back. */
  CHECK_AFTER_MS: z.coerce.number().positive().default(10_000),
});

/** The settings of a service. */
export type Settings = z.infer<typeof Settings>;

/** Reads the settings; throws an error that names what is missing, and shows no value. */
export function readSettings(variables: object): Settings {
  const read = Settings.safeParse(variables);
  if (read.success) return read.data;
  throw new Error(`Cannot read the settings:\n${z.prettifyError(read.error)}`);
}
