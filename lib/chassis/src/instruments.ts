import { type Attributes, metrics } from "@opentelemetry/api";

/** Names are those Prometheus shows: lower-case words joined by `_`, the unit last, counters ending in `_total`. */
export interface InstrumentOptions {
  readonly name: string;
  /** One sentence; Prometheus shows it as HELP. */
  readonly description: string;
}

export interface Counter {
  add(value: number, attributes?: Attributes): void;
}

export interface Histogram {
  record(value: number, attributes?: Attributes): void;
}

/** One value a gauge shows, with the few labels that tell it from its siblings. */
export interface Observation {
  readonly value: number;
  readonly attributes?: Attributes;
}

const METER = "xcloudflow";

/** From a millisecond to an hour: calls, transactions and engines alike. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

/**
 * Something that is counted. Defined once at the top of a `*-metrics.ts`: what was defined before `startTelemetry` ran
 * counts from then on.
 */
export function defineCounter({ name, description }: InstrumentOptions): Counter {
  const current = rebind(() => metrics.getMeter(METER).createCounter(name, { description }));
  return { add: (value, attributes) => current().add(value, attributes) };
}

/** Durations, in seconds. Defined as counters are. */
export function defineDuration({ name, description }: InstrumentOptions): Histogram {
  const current = rebind(() =>
    metrics.getMeter(METER).createHistogram(name, {
      description,
      unit: "s",
      advice: { explicitBucketBoundaries: SECONDS },
    }),
  );
  return { record: (value, attributes) => current().record(value, attributes) };
}

/**
 * Several gauges that are read together, whenever somebody scrapes; nothing is read otherwise. What `read` throws loses
 * that scrape's values only, and is told to `onError`.
 *
 * @returns ends the observation.
 */
export function observeGauges<Name extends string>(
  gauges: { readonly [N in Name]: InstrumentOptions },
  read: () => Promise<{ readonly [N in Name]: readonly Observation[] }>,
  onError: (error: unknown) => void,
): () => void {
  const meter = metrics.getMeter(METER);
  const names = Object.keys(gauges).filter((name): name is Name => name in gauges);
  const made = names.map((name) => {
    const { name: exported, description } = gauges[name];
    return { name, gauge: meter.createObservableGauge(exported, { description }) };
  });
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = async (result) => {
    try {
      const values = await read();
      for (const { name, gauge } of made)
        for (const { value, attributes } of values[name]) result.observe(gauge, value, attributes);
    } catch (error) {
      onError(error);
    }
  };
  const instruments = made.map(({ gauge }) => gauge);
  meter.addBatchObservableCallback(observe, instruments);
  return () => meter.removeBatchObservableCallback(observe, instruments);
}

/** The API hands out instruments that do nothing until a provider is there, and never replaces them. */
function rebind<T>(make: () => T): () => T {
  let provider: unknown;
  let made: T | undefined;
  return () => {
    const now = metrics.getMeterProvider();
    if (made === undefined || provider !== now) {
      provider = now;
      made = make();
    }
    return made;
  };
}
