/**
 * The providers that `core`, `bus`, `edge` and `http` must not name: push providers, platforms, and the
 * brokers of CAP.
 *
 * @module
 */

/** In any part of a name. */
const ANYWHERE =
  /qstash|upstash|cloudflare|cloudtasks|rabbitmq|kafka|pulsar|azure|amazon|redisstreams/i;
/** Only as a whole word, because other words contain it. */
const WHOLE_WORD = /(?:^|[^a-z])(nats|sqs|sns)(?:$|[^a-z])/i;

/** The provider that an identifier or a text names; null for none. */
export function providerIn(text: string): string | null {
  return ANYWHERE.exec(text)?.[0] ?? WHOLE_WORD.exec(text)?.[1] ?? null;
}
