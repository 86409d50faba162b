import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api'
import type { Logger } from './logger.ts'

export interface TracingOptions {
  /** Names the process, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES does: `carillon-api`. */
  service: string
  logger: Logger
}

export interface Tracing {
  /** Sends what is left; gives up after OTEL_EXPORTER_OTLP_TIMEOUT, 5 s unless it is set. */
  stop(): Promise<void>
}

/** Milliseconds for one export, and so for the last one at the end of a process: half of the SDK's own default. */
const exportTimeout = '5000'
/** Milliseconds between two log lines about a collector that does not take the spans. */
const complaintInterval = 60_000

/**
 * Starts to export traces when one of the standard variables of OpenTelemetry asks for it; `undefined` when none does, and then nothing of
 * the SDK is loaded (it takes 0.2 s and 37 MB). The SDK reads all its settings from those variables itself.
 */
export async function startTracing({ service, logger }: TracingOptions): Promise<Tracing | undefined> {
  if (!isAskedFor(process.env)) return undefined
  // The SDK reads this variable and takes no option for it.
  process.env['OTEL_EXPORTER_OTLP_TIMEOUT'] ??= exportTimeout
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK({
    ...(!isNamed(process.env) && { serviceName: service }),
    // Metrics are scraped and logs are lines on standard output: of the three only traces go this way.
    metricReaders: [],
    logRecordProcessors: [],
    // Records and requests carry W3C Trace Context, whatever the process is told: another process may be told otherwise.
    textMapPropagator: null,
  })
  diag.setLogger(complainRarely(logger), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  sdk.start()
  logger.info('Traces are exported')
  return {
    async stop() {
      await sdk.shutdown().catch((error: unknown) => logger.warn({ err: error }, 'Spans were lost'))
      diag.disable()
    },
  }
}

/** The SDK alone would export to localhost unless told not to; we ask for a sign that somebody wants traces. */
export function isAskedFor(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false
  const exporters = env['OTEL_TRACES_EXPORTER']
  if (exporters) return exporters !== 'none'
  return Boolean(env['OTEL_EXPORTER_OTLP_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
}

function isNamed(env: Readonly<Record<string, string | undefined>>): boolean {
  return (
    Boolean(env['OTEL_SERVICE_NAME']) || /(^|,)\s*service\.name=/.test(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '')
  )
}

/** A collector that is away fails every few seconds, for as long as it is. */
function complainRarely(logger: Logger): DiagLogger {
  let last = -Infinity
  const complain = (message: string) => {
    const now = performance.now()
    if (now - last < complaintInterval) return
    last = now
    logger.warn({ detail: message.slice(0, 500) }, 'OpenTelemetry')
  }
  const ignore = () => {}
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore }
}
