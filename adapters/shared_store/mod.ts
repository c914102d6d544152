/**
 * Messages between services, or parts of one service, that share a database. Each message is stored once, in
 * the inbox of its subscribers, and is not sent.
 *
 * @module
 */
export {
  sharedStoreTransport,
  type SharedStoreTransportOptions,
} from "./shared_store_transport.ts";
export type { Message, MessageBody, MessageHeaders } from "../../core/message/message.ts";
export type { AbortSignalLike } from "../../core/ports/platform.ts";
export type {
  DeliverOptions,
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports/transport.ts";
