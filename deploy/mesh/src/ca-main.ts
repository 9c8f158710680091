import { createSystemClock } from "@xcloudflow/chassis/clock";
import { readConfig } from "@xcloudflow/chassis/config";
import { createLogger } from "@xcloudflow/chassis/logger";
import { z } from "zod";
import { prepareCertificateVolume, RESERVED_NAMES } from "./certificate-volume.ts";

/** The user of every image. */
const IMAGE_USER = 10_001;

const memberName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "each member's name has small letters, digits and hyphens")
  .refine((name) => !RESERVED_NAMES.includes(name), "this is the name of a folder of keys");

const clock = createSystemClock();
const logger = createLogger({
  level: "info",
  now: () => clock.now(),
  write: (line) => void process.stderr.write(`${line}\n`),
  fields: { process: "ca" },
});
try {
  const settings = readConfig(
    z.object({
      XCF_CA_FOLDER: z.string(),
      XCF_CA_MEMBERS: z
        .string()
        .transform((text) => text.split(",").map((name) => name.trim()))
        .pipe(z.array(memberName)),
    }),
    process.env,
  );
  await prepareCertificateVolume({
    folder: settings.XCF_CA_FOLDER,
    members: settings.XCF_CA_MEMBERS,
    // Only root can give files away; anybody else makes them for himself.
    owner: process.getuid?.() === 0 ? IMAGE_USER : undefined,
    now: clock.now(),
    logger,
  });
  logger.info("certificates and keys are there", { folder: settings.XCF_CA_FOLDER });
} catch (error) {
  logger.error("certificates could not be made", { error });
  process.exitCode = 1;
}
