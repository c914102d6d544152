/**
 * QStash: a transport that sends messages through it, and an alarm that starts a tick of a bus that is not running.
 * `verifyQstash` of `@atlast/bus/qstash/verify` verifies what it delivers.
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
