/**
 * QStash: a transport that hands it messages, and an alarm by which it wakes a bus that rests. What it
 * delivers is verified by `verifyQstash` of `@atlast/bus/qstash/verify`.
 *
 * @module
 */
export { QSTASH_URL, type QstashAccess, type QstashClient } from "./client.ts";
export type { QstashChoices, QstashFlowControl, QstashTransportOptions } from "./options.ts";
export { type QstashAlarm, qstashAlarm, type QstashAlarmOptions } from "./qstash_alarm.ts";
export { type QstashTransport, qstashTransport } from "./qstash_transport.ts";
export type { QstashRoutes } from "./routes.ts";
export type { Message, MessageBody, MessageHeaders } from "../../core/message/message.ts";
export type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
export type {
  DeliverOptions,
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports/transport.ts";
export type { Alarm } from "../../core/ports/alarm.ts";
export type { RetryPolicy } from "../../core/lifecycle/retry.ts";
