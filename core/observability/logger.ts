import { trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from '../settings/values.ts'

/** A line of JSON per event. Make one per component: `logger.child({ component: 'planner' })`. */
export type Logger = PinoLogger

export interface LoggerOptions {
  level: LogLevel
  /** Standard output when absent. */
  destination?: DestinationStream
}

/** The names of LOG_LEVEL for pino's own. */
const names: Readonly<Record<string, LogLevel>> = {
  trace: 'DEBUG',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'ERROR',
}

const thresholds = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error' } as const

/**
 * The logger of a process. An error under `err` is reduced to its name, code, message and stack: what a driver or a
 * vendor's client hangs on its errors (a query's parameters, a response's body) is not ours to write down.
 */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  const options = {
    level: thresholds[level],
    base: { service: 'carillon' },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: names[label] ?? label }) },
    serializers: { err: describeError },
    mixin: describeTrace,
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** The fields that OpenTelemetry names for lines of JSON ("Trace Context in non-OTLP Log Formats"). */
function describeTrace(): object {
  const span = trace.getActiveSpan()?.spanContext()
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { name: typeof error }
  const { code } = error as { code?: unknown }
  return {
    name: error.name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    message: error.message,
    stack: error.stack,
  }
}
