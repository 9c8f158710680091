/** Limits of every HTTP/1.1 server that strangers reach. */
export const HTTP1_LIMITS = {
  maxHeaderSize: 32 * 1024,
  headersTimeout: 20_000,
  requestTimeout: 10 * 60_000,
  keepAliveTimeout: 75_000,
};
