/**
 * A crash run over Redis Streams. The door of a service leads its processes to Redis.
 *
 * @module
 */
import { SUBSCRIPTIONS } from "../business.ts";
import { SERVICES } from "../protocol.ts";
import { type RestRedis, TOKEN } from "../rest_redis.ts";
import { sumOfStandings } from "../standing.ts";
import type { Carrier } from "./carrier.ts";

/** What the keys of the streams begin with. */
const PREFIX = "streams";

/**
 * Uses a server.
 *
 * @param isOwn Whether nobody else lets the server crash.
 */
export function streamCarrier({ port, redis, crash }: RestRedis, isOwn: boolean): Carrier {
  /** Entries that a service has not read or not acknowledged. */
  const waitingFor = async (stream: string): Promise<number> => {
    if (await redis.exists(stream) === 0) return 0;
    const groups = await redis.exec<(string | number)[][]>(["XINFO", "GROUPS", stream]);
    return groups.reduce((sum, group) => {
      const field = (name: string) => Number(group[group.indexOf(name) + 1] ?? 0);
      return sum + field("lag") + field("pending");
    }, 0);
  };
  return {
    doorsLeadTo: [port],
    configOf: (service, doors) => ({
      kind: "stream",
      prefix: PREFIX,
      port: doors[service],
      token: TOKEN,
    }),
    async standing() {
      const all = SERVICES.map(async (service) => {
        const streams = SUBSCRIPTIONS[service].map(({ pattern }) => `stream:${pattern}`);
        const counts = [...streams, `requeued:${service}`].map((name) =>
          waitingFor(`{${PREFIX}}:${name}`)
        );
        return {
          unsettled: (await Promise.all(counts)).reduce((sum, count) => sum + count, 0),
          failed: await redis.hlen(`{${PREFIX}}:parked:${service}`),
        };
      });
      return sumOfStandings(await Promise.all(all));
    },
    crash: isOwn ? crash : () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}
