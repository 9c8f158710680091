/** The embedded mode serves one tenant. */
export const TENANT = "default";
