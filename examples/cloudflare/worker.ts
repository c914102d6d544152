/**
 * A service of the shop on Cloudflare Workers.
 *
 * @module
 */
import { openService, type Service } from "../shop/service.ts";

/** The variables and secrets of the Worker, and its connection to Postgres. */
interface Env {
  readonly HYPERDRIVE: { readonly connectionString: string };
}

/** The part of the platform's context that is used. */
interface Context {
  waitUntil(work: Promise<unknown>): void;
}

export default {
  /** Answers a request, and sends pending messages after the response. */
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const service = open(env);
    try {
      return await service.fetch(request);
    } finally {
      const work = request.method === "GET" ? Promise.resolve() : service.flush();
      context.waitUntil(work.finally(() => service.close()));
    }
  },

  /** Does the work that is due. The cron of wrangler.jsonc calls it. */
  async scheduled(_event: unknown, env: Env): Promise<void> {
    const service = open(env);
    await service.tick().finally(() => service.close());
  },
};

/** Opens the service. A connection lives as long as the request that opened it, so each request opens its own. */
function open(env: Env): Service {
  return openService({ ...env, DATABASE_URL: env.HYPERDRIVE.connectionString });
}
