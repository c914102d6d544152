/**
 * Atlast on Upstash Redis: a transport over Redis Streams, on the official client.
 *
 * @example
 * ```ts ignore
 * import { Redis } from "@upstash/redis";
 * import { upstashStreamTransport } from "@atlast/bus/upstash-redis";
 *
 * const transport = upstashStreamTransport({ redis: Redis.fromEnv(), group: "orders" });
 * ```
 *
 * @module
 */
export type { CommandResult, StreamClient, StreamPipeline } from "./stream/client.ts";
export type { UpstashStreamTransportOptions } from "./stream/options.ts";
export type { ParkedMessage } from "./stream/parking.ts";
export { type UpstashStreamTransport, upstashStreamTransport } from "./stream/stream_transport.ts";

// What the types above are made of
export type { Message, MessageBody, MessageHeaders } from "../../core/message.ts";
export type {
  AbortSignalLike,
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports.ts";
export type { PullRequest, PullResult } from "../../core/pull.ts";
