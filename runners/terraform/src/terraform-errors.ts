import { EngineFailedError } from "@xcloudflow/runner-host/engine-errors";

/** Thrown when terraform prints plans of a format this runner does not know. */
export class PlanFormatUnsupportedError extends EngineFailedError {
  constructor(found: string) {
    super("PLAN_FORMAT_UNSUPPORTED", "invalid", {
      what: `terraform printed a plan of format ${found.slice(0, 40)}; this runner reads format 1.x`,
      hint: "use a supported version of the engine, or a newer xcf",
      effects: "none",
    });
  }
}

/** Thrown when a unit's `engineConfig.terraform` is not what this engine understands. */
export class EngineConfigInvalidError extends EngineFailedError {
  constructor(where: string, what: string, hint: string) {
    super("UNIT_ENGINE_CONFIG_INVALID", "invalid", { where, what, hint, effects: "none" });
  }
}

/** Thrown when an input is given that the module declares no variable for. */
export class UnitInputUndeclaredError extends EngineFailedError {
  constructor(unit: string, name: string, nearest: string | undefined) {
    super("UNIT_INPUT_UNDECLARED", "invalid", {
      where: unit,
      what: `the module declares no variable "${name}"`,
      hint:
        nearest === undefined
          ? "remove the input, or declare the variable in the module"
          : `did you mean "${nearest}"?`,
      effects: "none",
    });
  }
}

/** Thrown when a module's variable without a default gets no value from inputs or variable files. */
export class UnitInputMissingError extends EngineFailedError {
  constructor(unit: string, names: readonly string[]) {
    const [first = ""] = names;
    super("UNIT_INPUT_MISSING", "invalid", {
      where: unit,
      what:
        names.length === 1
          ? `the module needs the input "${first}"`
          : `the module needs the inputs ${names.map((name) => `"${name}"`).join(", ")}`,
      hint: "give it under `inputs` in the composition, or give the variable a default",
      effects: "none",
    });
  }
}

/** Thrown when a plan cannot be applied any more: the state, the plan's bytes or the engine are not those it was made with. */
export class PlanStaleError extends EngineFailedError {
  constructor(code: "PLAN_STALE" | "PLAN_DAMAGED" | "ENGINE_VERSION_CHANGED", what: string) {
    super(code, "stale", { what, hint: "plan again; nothing was applied", effects: "none" });
  }
}

/** Thrown when the engine found on this machine is not one this runner can drive. */
export class EngineVersionUnsuitableError extends EngineFailedError {
  constructor(what: string, hint: string) {
    super("ENGINE_VERSION_UNSUITABLE", "invalid", { what, hint, effects: "none" });
  }
}
