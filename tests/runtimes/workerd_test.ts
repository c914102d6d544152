import { unavailable, WORKERD } from "../support/runtimes/runtime.ts";
import { runtimeSuite } from "./suite.ts";

runtimeSuite(WORKERD, await unavailable(WORKERD));
