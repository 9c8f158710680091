import { EXIT, type ExitCode } from "../exit-code.ts";
import { inSession } from "../in-session.ts";
import { createdTokenOutputSchema, revokedTokenOutputSchema, tokensOutputSchema } from "../output/token-output.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface TokenOptions extends CommonOptions {
  readonly role: string;
  readonly user?: string;
  readonly group?: readonly string[];
  readonly env?: readonly string[];
  readonly writeState?: boolean;
  readonly expires?: string;
}

/** Makes an API token and prints it; nobody can print it again. */
export async function tokenCreate(surroundings: Surroundings, options: TokenOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const request = {
      role: options.role,
      subject: options.user ?? "",
      groups: [...(options.group ?? [])],
      environments: [...(options.env ?? [])],
      writeState: options.writeState === true,
      expiresAt: options.expires ?? "",
    };
    const { id, token } = await session.api.createToken(request, session.call);
    if (options.output === "json") printJson(surroundings.terminal, createdTokenOutputSchema, { id, token });
    else surroundings.terminal.out(`${token}\n`);
    return EXIT.done;
  });
}

/** The tokens there are, without their texts. */
export async function tokenList(surroundings: Surroundings, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { tokens } = await session.api.listTokens({}, session.call);
    const shown = tokens.map(
      ({ id, role, subject, groups, environments, writeState, createdAt, expiresAt, revokedAt }) => ({
        id,
        role,
        subject,
        groups,
        environments,
        writeState,
        createdAt,
        expiresAt,
        ...(revokedAt === "" ? {} : { revokedAt }),
      }),
    );
    if (options.output === "json") printJson(surroundings.terminal, tokensOutputSchema, { tokens: shown });
    else
      surroundings.terminal.out(
        shown.length === 0
          ? "No tokens.\n"
          : shown
              .map(
                (token) =>
                  `${token.id}  ${token.role.padEnd(8)}  ${token.subject}${token.environments.length === 0 ? "" : `  in ${token.environments.join(", ")}`}  until ${token.expiresAt}${token.revokedAt === undefined ? "" : "  revoked"}\n`,
              )
              .join(""),
      );
    return EXIT.done;
  });
}

/** Ends a token now. */
export async function tokenRevoke(surroundings: Surroundings, id: string, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    await session.api.revokeToken({ id }, session.call);
    if (options.output === "json") printJson(surroundings.terminal, revokedTokenOutputSchema, { revoked: id });
    else surroundings.terminal.out(`Revoked ${id}\n`);
    return EXIT.done;
  });
}
