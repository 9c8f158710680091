/** The product's version; `tools/` checks that it equals package.json's. */
export const VERSION = "0.1.0";
