/**
 * A Worker that tells the story at each request, and answers with what became of it.
 *
 * @module
 */
import { Redis } from "@upstash/redis/cloudflare";
import { story } from "./story.ts";

interface Variables {
  readonly UPSTASH_REDIS_REST_URL: string;
  readonly UPSTASH_REDIS_REST_TOKEN: string;
}

export default {
  async fetch(request: Request, env: Variables): Promise<Response> {
    const redis = new Redis({
      url: env.UPSTASH_REDIS_REST_URL,
      token: env.UPSTASH_REDIS_REST_TOKEN,
    });
    return Response.json(await story(redis, new URL(request.url).pathname.slice(1)));
  },
};
