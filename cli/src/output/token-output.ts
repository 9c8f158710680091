import { z } from "zod";
import { TOKEN_ROLES } from "../token-roles.ts";

/** The one time a token's text is printed. */
export const createdTokenOutputSchema = z.strictObject({ id: z.string(), token: z.string() });

export const tokensOutputSchema = z.strictObject({
  tokens: z.array(
    z.strictObject({
      id: z.string(),
      role: z.enum(TOKEN_ROLES),
      subject: z.string(),
      groups: z.array(z.string()),
      /** Where the role holds; none: everywhere. */
      environments: z.array(z.string()),
      writeState: z.boolean(),
      createdAt: z.string(),
      expiresAt: z.string(),
      revokedAt: z.string().optional(),
    }),
  ),
});

export const revokedTokenOutputSchema = z.strictObject({ revoked: z.string() });
