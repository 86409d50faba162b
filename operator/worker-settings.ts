import type { KafkaConnection } from '../core/settings/kafka.ts'
import type { operatorSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import type { Platform } from './platform.ts'

type Source = Settings<typeof operatorSettings>

/**
 * What the workers are told: the operator's own way to Kafka, PostgreSQL, Redis and OpenTelemetry. Secrets reach them through a Secret of the release's
 * namespace, files as files.
 */
export function workerPlatform(
  settings: Source,
  { sasl, tls }: KafkaConnection,
  env: Readonly<Record<string, string | undefined>>,
): Omit<Platform, 'secretVersion'> {
  return {
    image: settings.image,
    namespace: settings.namespace,
    topicPrefix: settings.topicPrefix,
    environment: {
      KAFKA_BOOTSTRAP_SERVERS: settings.kafkaBootstrapServers.join(','),
      KAFKA_SECURITY_PROTOCOL: settings.kafkaSecurityProtocol,
      ...(settings.kafkaSaslMechanism && { KAFKA_SASL_MECHANISM: settings.kafkaSaslMechanism }),
      LOG_LEVEL: settings.logLevel,
    },
    secretEnvironment: {
      DATABASE_URL: settings.databaseUrl,
      // No secret, but KEDA takes a log-in from a Secret alone.
      ...(sasl && { KAFKA_SASL_USERNAME: sasl.username }),
      ...(settings.redisUrl && { REDIS_URL: settings.redisUrl }),
      // Among them are headers with keys.
      ...openTelemetry(env),
    },
    secretFiles: {
      ...(sasl && { KAFKA_SASL_PASSWORD_FILE: sasl.password }),
      ...(tls?.ca && { KAFKA_SSL_CA_FILE: tls.ca }),
    },
  }
}

function openTelemetry(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const own = Object.entries(env).filter(([name, value]) => name.startsWith('OTEL_') && value !== undefined)
  return Object.fromEntries(own) as Record<string, string>
}
