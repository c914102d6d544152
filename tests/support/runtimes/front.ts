/**
 * A stable address before a service that comes and goes: what the internet and a load balancer are to a
 * deployment. Tests look at what passes, and fail some of it.
 *
 * @module
 */
import { serve, type TestServer } from "../serve.ts";

/** A request on its way, its body read. */
export interface Passing {
  readonly request: Request;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Where it goes. */
  readonly path: string;
}

/**
 * What a rule makes of a request: an answer in place of the service's, `Response.error()` for none at all,
 * or null to let it pass.
 */
export type Rule = (
  passing: Passing,
  forward: () => Promise<Response>,
) => Response | null | Promise<Response | null>;

/** Headers of one connection, and what the new request sets itself. */
const OWN = [
  ...["accept-encoding", "connection", "content-encoding", "content-length", "host", "keep-alive"],
  "transfer-encoding",
];

/** A stable address. */
export class Front {
  readonly #server: TestServer;
  #target: string | null = null;
  /** Asked of each request, when set. */
  rule: Rule | null = null;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  /** Opens one, with nothing behind it yet. */
  static async open(): Promise<Front> {
    const front: Front = new Front(await serve((request) => front.#answer(request)));
    return front;
  }

  /** What the world knows the service by. */
  get origin(): string {
    return this.#server.origin;
  }

  /** Puts a service behind it, or none. */
  get target(): string | null {
    return this.#target;
  }

  set target(origin: string | null) {
    this.#target = origin;
  }

  /** Ends it. */
  close(): Promise<void> {
    return this.#server.close();
  }

  async #answer(request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    const { pathname, search } = new URL(request.url);
    const forward = () => this.#forward(request, body, pathname + search);
    const ruled = await this.rule?.({ request, body, path: pathname }, forward) ?? null;
    // A handler that rejects has its connection broken off.
    if (ruled?.type === "error") throw new Error("The request or its answer is lost");
    return ruled ?? await forward();
  }

  async #forward(request: Request, body: Uint8Array<ArrayBuffer>, path: string): Promise<Response> {
    if (this.#target === null) return new Response("No service is here", { status: 503 });
    const { method } = request;
    const headers = travelling(request.headers);
    const init = method === "GET" || method === "HEAD" ? {} : { body };
    try {
      const response = await fetch(this.#target + path, {
        method,
        headers,
        redirect: "manual",
        ...init,
      });
      const answer = new Uint8Array(await response.arrayBuffer());
      return new Response(response.status === 204 ? null : answer, {
        status: response.status,
        headers: travelling(response.headers),
      });
    } catch {
      // Its service has just gone.
      return new Response("No answer", { status: 502 });
    }
  }
}

function travelling(own: Headers): Headers {
  const headers = new Headers(own);
  for (const name of OWN) headers.delete(name);
  return headers;
}
