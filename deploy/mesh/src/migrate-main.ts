import { createSystemClock } from "@xcloudflow/chassis/clock";
import { readConfig } from "@xcloudflow/chassis/config";
import { createLogger } from "@xcloudflow/chassis/logger";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { databaseSettings } from "@xcloudflow/database/service-database";
import { z } from "zod";
import { DATABASE_SERVICES } from "./mesh-plan.ts";
import { migrateMesh } from "./migrate-mesh.ts";

const clock = createSystemClock();
const logger = createLogger({
  level: "info",
  now: () => clock.now(),
  write: (line) => void process.stderr.write(`${line}\n`),
  fields: { process: "migrate" },
});
try {
  const { XCF_DATABASE_OWNER_URL: url, ...rest } = readConfig(
    z.looseObject({ XCF_DATABASE_OWNER_URL: databaseSettings.XCF_DATABASE_URL }),
    process.env,
  );
  const passwords = Object.fromEntries(
    DATABASE_SERVICES.flatMap((service) => {
      const password = rest[`XCF_DATABASE_PASSWORD_${service.toUpperCase()}`];
      return typeof password === "string" ? [[service, password]] : [];
    }),
  );
  await migrateMesh({ url, passwords, clock, random: createSystemRandom(), logger });
  logger.info("migrated");
} catch (error) {
  logger.error("the schemas could not be brought up to date", { error });
  process.exitCode = 1;
}
