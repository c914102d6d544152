/**
 * The script that creates the id of a service.
 *
 * @module
 */

/** Keys: the service's id. Arguments: an id. Answer: the id that is stored from now on, with its mark. */
export const SERVICE_ID: string = String.raw`
redis.call("SET", KEYS[1], ARGV[2], "NX")
return { redis.call("GET", KEYS[1]) }
`;
