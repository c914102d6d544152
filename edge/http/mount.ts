/**
 * Mounts the routes on an app.
 *
 * @module
 */
import { Hono } from "hono/tiny";
import type { App } from "../app_options.ts";
import { type Guard, methodNotAllowed, pathNotFound, type Route } from "./error_boundary.ts";

/** A route with its path and methods. */
export interface MountedRoute {
  /** Its path, below the base path. */
  readonly path: string;
  /** Its methods. `GET` includes `HEAD`. */
  readonly methods: readonly ("GET" | "POST")[];
  /**
   * The content type of its refusals.
   *
   * @default "application/json"
   */
  readonly contentType?: string;
  /** The handler. */
  readonly route: Route;
}

/**
 * Creates an app of routes, each wrapped by the guard. Other methods and paths are refused with 405
 * and 404.
 */
export function mounted<Kind extends App>(
  basePath: string,
  routes: readonly MountedRoute[],
  guard: Guard,
): Kind {
  const app = new Hono().basePath(basePath);
  for (const { path, methods, contentType, route } of routes) {
    app.on([...methods], path, guard(route, contentType));
    app.all(path, guard(methodNotAllowed(methods)));
  }
  app.notFound(guard(pathNotFound));

  const shaped: App = app as App;
  return shaped as Kind;
}
