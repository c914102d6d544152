/**
 * Mounts the routes on an app.
 *
 * @module
 */
import { Hono } from "hono/tiny";
import { AtlastError } from "../../core/errors.ts";
import type { App } from "../app_options.ts";
import { type Guard, methodNotAllowed, pathNotFound, type Route } from "./error_boundary.ts";

/** A route with where it stands. */
export interface MountedRoute {
  /** Its path, below the base path. */
  readonly path: string;
  /** The methods it takes; `GET` brings `HEAD` along. */
  readonly methods: readonly ("GET" | "POST")[];
  /**
   * What it answers with when it refuses.
   *
   * @default "application/json"
   */
  readonly contentType?: string;
  /** What it does. */
  readonly route: Route;
}

/**
 * An app of routes, each within the guard, which also says what is wrong with other methods and paths.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function mounted<Kind extends App>(
  basePath: string,
  routes: readonly MountedRoute[],
  guard: Guard,
): Kind {
  if (!basePath.startsWith("/")) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use basePath "${basePath}": want one that starts with "/"`,
    );
  }
  const app = new Hono().basePath(basePath);
  for (const { path, methods, contentType, route } of routes) {
    app.on([...methods], path, guard(route, contentType));
    app.all(path, guard(methodNotAllowed(methods)));
  }
  app.notFound(guard(pathNotFound));

  const shaped: App = app as App;
  return shaped as Kind;
}
